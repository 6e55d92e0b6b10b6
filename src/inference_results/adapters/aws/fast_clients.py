"""Clients of the two calls that each result needs, without most of what botocore does for a call.

Left out are its checks against the service's model, its endpoint rules, hooks and parsers: two
thirds of the processor's time of a call, and most of a cold start. Whatever is not the plain answer
is asked again of botocore's client, so redirects, errors and their codes are what they are
elsewhere; see docs/decisions/0023.
"""

import base64
import json
import os
import random
import threading
import time
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from botocore.exceptions import ClientError

from inference_results.adapters.aws.calls import (
    CONDITION_FAILED,
    LONGEST_PAUSE_SECONDS,
    client_config,
)
from inference_results.adapters.aws.clients import LazyClient
from inference_results.adapters.aws.signed_http import SignedHttp

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from urllib3 import BaseHTTPResponse

_HEEDED_BY_BOTOCORE: Final = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
"""Variables that only botocore heeds: where somebody set one, it makes all calls."""


class FallbackCounter:
    """How many calls had no plain answer at first. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self) -> None:
        with self._lock:
            self._count += 1

    def taken(self) -> int:
        """Those since it was asked before."""
        with self._lock:
            count, self._count = self._count, 0
            return count


def fast_s3(connections: int, second_attempts: FallbackCounter) -> "S3Client":
    """S3, for the ranged GETs of `S3Objects.read_start`. Keeps that many `connections`."""
    return cast("S3Client", _fast_client(_FastS3, "s3", connections, second_attempts))


def fast_dynamodb(connections: int, second_attempts: FallbackCounter) -> "DynamoDBClient":
    """DynamoDB, for UpdateItem. Keeps that many `connections`."""
    return cast(
        "DynamoDBClient", _fast_client(_FastDynamoDB, "dynamodb", connections, second_attempts)
    )


def _fast_client(
    kind: "type[_FastClient]", service: str, connections: int, second_attempts: FallbackCounter
) -> LazyClient:
    if any(os.environ.get(name) for name in _HEEDED_BY_BOTOCORE):
        return LazyClient(service, client_config(connections))
    return kind(service, connections, second_attempts)


class _FastClient(LazyClient):
    """Makes one operation by itself; botocore's client has the others."""

    def __init__(self, service: str, connections: int, second_attempts: FallbackCounter) -> None:
        super().__init__(service, client_config(connections))
        self._http = SignedHttp(service, connections)
        self._once = LazyClient(service, client_config(connections, attempts=1))
        self._second_attempts = second_attempts

    def _again(self, pause: bool) -> Any:
        """botocore's client for a second attempt, which makes no third."""
        self._second_attempts.add()
        if pause:
            time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311
        return self._once


class _FastS3(_FastClient):
    def get_object(self, **request: str) -> Any:
        """As botocore's; the main members and a body in memory for a bucket, a key and a range."""
        if request.keys() != {"Bucket", "Key", "Range"}:
            return self._client.get_object(**request)
        path = f"/{request['Bucket']}/{quote(request['Key'], safe='/~')}"
        answer = self._http.send("GET", path, {"range": request["Range"]})
        if answer and answer.status == HTTPStatus.PARTIAL_CONTENT and _is_whole(answer):
            return _as_botocore(answer)
        if answer and answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _refusal("InvalidRange", answer, "GetObject")
        may_pass = answer is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return self._again(pause=may_pass).get_object(**request)


def _is_whole(answer: "BaseHTTPResponse") -> bool:
    """Whether it says what `_as_botocore` cannot do without."""
    return "ETag" in answer.headers and "Content-Range" in answer.headers


def _as_botocore(answer: "BaseHTTPResponse") -> dict[str, Any]:
    return {
        "Body": BytesIO(answer.data),
        "ContentLength": len(answer.data),
        "ContentRange": answer.headers["Content-Range"],
        "ContentType": answer.headers.get("Content-Type"),
        "ETag": answer.headers["ETag"],
        "VersionId": answer.headers.get("x-amz-version-id"),
    }


class _FastDynamoDB(_FastClient):
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
        self._again(pause=True).update_item(**request)
        return {}


def _raise_if_condition_failed(answer: "BaseHTTPResponse") -> None:
    try:
        told = json.loads(answer.data)
    except ValueError:
        return
    match told:
        case {"__type": str(kind)} if kind.rpartition("#")[2] == CONDITION_FAILED:
            refusal = _refusal(CONDITION_FAILED, answer, "UpdateItem")
            refusal.response["Item"] = told.get("Item", {})  # type: ignore[typeddict-unknown-key]
            raise refusal


def _refusal(code: str, answer: "BaseHTTPResponse", operation: str) -> ClientError:
    metadata: Any = {"HTTPStatusCode": answer.status}
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata}, operation
    )


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()
