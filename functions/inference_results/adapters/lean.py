"""Clients of the two calls that each result needs, without most of what boto3 does for a call.

botocore's own signer and HTTP session make the call. Left out are its checks against the service's
model, its endpoint rules, hooks and parsers: two thirds of the processor's time of a call, and most
of a cold start. Whatever is not the plain answer is asked again of boto3's client, so redirects,
errors and their codes are what they are elsewhere; see docs/decisions/0023.
"""

import base64
import json
import os
import random
import socket
import threading
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import ReadOnlyCredentials
from botocore.endpoint_provider import RuleSetStandardLibrary
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.httpsession import URLLib3Session
from botocore.loaders import create_loader
from botocore.utils import get_environ_proxies

from inference_results.adapters.aws import (
    CONDITION_FAILED,
    CONNECT_SECONDS,
    LONGEST_PAUSE_SECONDS,
    READ_SECONDS,
    client_config,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

_MAKING: Final = threading.Lock()


def lean_s3(connections: int) -> "S3Client":
    """S3, for ranged GETs. Keeps that many `connections`."""
    return cast("S3Client", _LeanS3(connections))


def lean_dynamodb(connections: int) -> "DynamoDBClient":
    """DynamoDB, for UpdateItem. Keeps that many `connections`."""
    return cast("DynamoDBClient", _LeanDynamoDB(connections))


def lazy_sqs(connections: int) -> "SQSClient":
    """SQS, made when it is first asked: most functions never park a message."""
    return cast("SQSClient", _LazyClient("sqs", connections))


class _LazyClient:
    """boto3's client of a service, made when it is first asked."""

    def __init__(self, service: str, connections: int, attempts: int = 2) -> None:
        self._service = service
        self._config = client_config(connections, attempts)
        self._made: Any = None

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._boto3, operation)

    @property
    def _boto3(self) -> Any:
        with _MAKING:  # boto3 makes no two clients at a time
            if self._made is None:
                import boto3  # a third of a cold start

                self._made = boto3.client(self._service, config=self._config)  # type: ignore[call-overload]
        return self._made


class _LeanClient(_LazyClient):
    """Signs and sends one operation by itself; boto3's client has the others."""

    def __init__(self, service: str, connections: int, signer: type[SigV4Auth]) -> None:
        super().__init__(service, connections)
        self._second_attempt: Any = _LazyClient(service, connections, attempts=1)
        region = os.environ["AWS_REGION"]
        self._endpoint = os.environ.get("AWS_ENDPOINT_URL") or _endpoint(service, region)
        # The runtime hands them to a function once, for as long as its process lives.
        credentials = ReadOnlyCredentials(
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            os.environ.get("AWS_SESSION_TOKEN"),
        )
        self._signer = signer(credentials, service, region)
        self._session = URLLib3Session(
            verify=os.environ.get("AWS_CA_BUNDLE") or True,  # type: ignore[arg-type]
            proxies=get_environ_proxies(self._endpoint),
            timeout=(CONNECT_SECONDS, READ_SECONDS),  # type: ignore[arg-type]
            max_pool_connections=connections,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # type: ignore[list-item]
        )

    def _send(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> AWSResponse | None:
        """None if no answer came, or one that broke off."""
        request = AWSRequest(method, self._endpoint + path, headers, body)
        self._signer.add_auth(request)
        try:
            answer = self._session.send(request.prepare())
        except (HTTPClientError, NoConnectionError):
            return None
        announced = answer.headers.get("Content-Length")
        return answer if announced is None or len(answer.content) == int(announced) else None


def _endpoint(service: str, region: str) -> str:
    """Of the region, in the domain of its partition."""
    partitions = RuleSetStandardLibrary(create_loader().load_data("partitions"))
    return f"https://{service}.{region}.{partitions.aws_partition(region)['dnsSuffix']}"


class _LeanS3(_LeanClient):
    def __init__(self, connections: int) -> None:
        super().__init__("s3", connections, S3SigV4Auth)

    def get_object(self, **request: str) -> Any:
        """As boto3's, with the body in memory, if `request` is a bucket, a key and a range."""
        if request.keys() != {"Bucket", "Key", "Range"}:
            return self._boto3.get_object(**request)
        path = f"/{request['Bucket']}/{quote(request['Key'], safe='/~')}"
        answer = self._send("GET", path, {"Range": request["Range"]})
        if answer and answer.status_code == HTTPStatus.PARTIAL_CONTENT:
            return _as_boto3(answer)
        if answer is None or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _pause()
        return self._second_attempt.get_object(**request)


def _as_boto3(answer: AWSResponse) -> dict[str, Any]:
    headers = answer.headers
    return {
        "Body": BytesIO(answer.content),
        "ContentLength": int(headers["Content-Length"]),
        "ContentRange": headers["Content-Range"],
        "ContentType": headers.get("Content-Type"),
        "ETag": headers["ETag"],
        "LastModified": parsedate_to_datetime(headers["Last-Modified"]),
        "VersionId": headers.get("x-amz-version-id"),
    }


class _LeanDynamoDB(_LeanClient):
    def __init__(self, connections: int) -> None:
        super().__init__("dynamodb", connections, SigV4Auth)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """As boto3's, without what DynamoDB returns.

        Raises ClientError for a condition that does not hold; `Item` in its response is as the JSON
        has it, where binary is base64.
        """
        body = json.dumps(request, default=_base64).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "DynamoDB_20120810.UpdateItem",
        }
        answer = self._send("POST", "/", headers, body)
        if answer and answer.status_code == HTTPStatus.OK:
            return {}
        if answer and answer.status_code == HTTPStatus.BAD_REQUEST:
            _raise_if_condition_failed(answer)
        _pause()
        self._second_attempt.update_item(**request)
        return {}


def _raise_if_condition_failed(answer: AWSResponse) -> None:
    try:
        told = json.loads(answer.content)
    except ValueError:
        return
    match told:
        case {"__type": str(kind)} if kind.endswith(f"#{CONDITION_FAILED}"):
            error = {
                "Error": {"Code": CONDITION_FAILED, "Message": told.get("message", "")},
                "ResponseMetadata": {"HTTPStatusCode": answer.status_code},
                "Item": told.get("Item", {}),
            }
            raise ClientError(error, "UpdateItem")  # type: ignore[arg-type]


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


def _pause() -> None:
    time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311
