"""Clients of the two calls that each result needs, without most of what botocore does for a call.

Left out are its checks against the service's model, its endpoint rules, hooks and parsers: two
thirds of the processor's time of a call, and most of a cold start. Whatever is not the plain answer
is asked again of botocore's client, so redirects, errors and their codes are what they are
elsewhere; see docs/decisions/0023.
"""

import base64
import json
import random
import threading
import time
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from botocore.exceptions import ClientError

from inference_results.adapters.aws import CONDITION_FAILED, LONGEST_PAUSE_SECONDS, client_config
from inference_results.adapters.signed_http import SignedHttp

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient
    from urllib3 import BaseHTTPResponse

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
    """botocore's client of a service, made when it is first asked."""

    def __init__(self, service: str, connections: int, attempts: int = 2) -> None:
        self._service = service
        self._config = client_config(connections, attempts)
        self._made: Any = None

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    @property
    def _client(self) -> Any:
        with _MAKING:  # a session makes no two clients at a time
            if self._made is None:
                # Half of a cold start, which most functions never need.
                from inference_results.adapters import clients

                self._made = clients.client(self._service, self._config)
        return self._made


class _LeanClient(_LazyClient):
    """Makes one operation by itself; botocore's client has the others."""

    def __init__(self, service: str, connections: int) -> None:
        super().__init__(service, connections)
        self._http = SignedHttp(service, connections)
        self._second_attempt: Any = _LazyClient(service, connections, attempts=1)


class _LeanS3(_LeanClient):
    def __init__(self, connections: int) -> None:
        super().__init__("s3", connections)

    def get_object(self, **request: str) -> Any:
        """As botocore's; the main members and a body in memory for a bucket, a key and a range."""
        if request.keys() != {"Bucket", "Key", "Range"}:
            return self._client.get_object(**request)
        path = f"/{request['Bucket']}/{quote(request['Key'], safe='/~')}"
        answer = self._http.send("GET", path, {"range": request["Range"]})
        if answer and answer.status == HTTPStatus.PARTIAL_CONTENT and "ETag" in answer.headers:
            return _as_client(answer)
        if answer is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _pause()
        return self._second_attempt.get_object(**request)


def _as_client(answer: "BaseHTTPResponse") -> dict[str, Any]:
    return {
        "Body": BytesIO(answer.data),
        "ContentLength": len(answer.data),
        "ContentRange": answer.headers.get("Content-Range"),
        "ContentType": answer.headers.get("Content-Type"),
        "ETag": answer.headers["ETag"],
        "VersionId": answer.headers.get("x-amz-version-id"),
    }


class _LeanDynamoDB(_LeanClient):
    def __init__(self, connections: int) -> None:
        super().__init__("dynamodb", connections)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """As botocore's, without what DynamoDB returns.

        Raises ClientError for a condition that does not hold; `Item` in its response is as the JSON
        has it, where binary is base64.
        """
        body = json.dumps(request, default=_base64).encode()
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810.UpdateItem",
        }
        answer = self._http.send("POST", "/", headers, body)
        if answer and answer.status == HTTPStatus.OK:
            return {}
        if answer and answer.status == HTTPStatus.BAD_REQUEST:
            _raise_if_condition_failed(answer)
        _pause()
        self._second_attempt.update_item(**request)
        return {}


def _raise_if_condition_failed(answer: "BaseHTTPResponse") -> None:
    try:
        told = json.loads(answer.data)
    except ValueError:
        return
    match told:
        case {"__type": str(kind)} if kind.rpartition("#")[2] == CONDITION_FAILED:
            error = {
                "Error": {"Code": CONDITION_FAILED, "Message": told.get("message", "")},
                "ResponseMetadata": {"HTTPStatusCode": answer.status},
                "Item": told.get("Item", {}),
            }
            raise ClientError(error, "UpdateItem")  # type: ignore[arg-type]


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


def _pause() -> None:
    time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311
