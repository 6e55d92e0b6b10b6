"""Clients for the two calls that every result needs, without most of botocore's work per call.

They skip botocore's validation, endpoint rules, hooks and parsers: two thirds of the CPU time of a
call, and most of a cold start. They handle only the expected responses. For any other response,
botocore's client makes the call again, so redirects, errors and error codes are the same as
elsewhere. See docs/decisions/0023-fast-clients.md.
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

from inference_results.adapters.aws.clients import LazyClient
from inference_results.adapters.aws.config import MAX_BACKOFF_SECONDS, client_config
from inference_results.adapters.aws.errors import CONDITION_FAILED
from inference_results.adapters.aws.signed_http import SignedHttp

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from urllib3 import BaseHTTPResponse

_BOTOCORE_ONLY_VARIABLES: Final = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
"""If one of these variables is set, botocore makes all calls: only botocore supports them."""


class FallbackCounter:
    """Counts the calls that botocore had to repeat. Threads can share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self) -> None:
        with self._lock:
            self._count += 1

    def take(self) -> int:
        """Return the count, and reset it to zero."""
        with self._lock:
            count, self._count = self._count, 0
            return count


def fast_s3(connections: int, fallbacks: FallbackCounter) -> "S3Client":
    """Create an S3 client with a fast ranged GET, for `S3Objects.read_start`."""
    return cast("S3Client", _fast_client(_FastS3, "s3", connections, fallbacks))


def fast_dynamodb(connections: int, fallbacks: FallbackCounter) -> "DynamoDBClient":
    """Create a DynamoDB client with a fast UpdateItem."""
    return cast("DynamoDBClient", _fast_client(_FastDynamoDB, "dynamodb", connections, fallbacks))


def _fast_client(
    kind: "type[_FastClient]", service: str, connections: int, fallbacks: FallbackCounter
) -> LazyClient:
    if any(os.environ.get(name) for name in _BOTOCORE_ONLY_VARIABLES):
        return LazyClient(service, client_config(connections))
    return kind(service, connections, fallbacks)


class _FastClient(LazyClient):
    """A client with one fast operation. botocore's client makes all other calls."""

    def __init__(self, service: str, connections: int, fallbacks: FallbackCounter) -> None:
        super().__init__(service, client_config(connections))
        self._http = SignedHttp(service, connections)
        # It makes the second of two attempts, so it must not retry.
        self._fallback_client = LazyClient(service, client_config(connections, attempts=1))
        self._fallbacks = fallbacks

    def _fallback(self, *, backoff: bool) -> Any:
        """Return the client for the second and last attempt, after a backoff if needed."""
        self._fallbacks.add()
        if backoff:
            time.sleep(random.uniform(0, MAX_BACKOFF_SECONDS))  # noqa: S311
        return self._fallback_client


class _FastS3(_FastClient):
    def get_object(self, **request: str) -> Any:
        """Return botocore's main response members. Fast for a bucket, a key and a range only."""
        if request.keys() != {"Bucket", "Key", "Range"}:
            return self._client.get_object(**request)
        path = f"/{request['Bucket']}/{quote(request['Key'], safe='/~')}"
        response = self._http.send("GET", path, {"range": request["Range"]})
        if response and response.status == HTTPStatus.PARTIAL_CONTENT and _is_complete(response):
            return _to_botocore_response(response)
        if response and response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _client_error("InvalidRange", response, "GetObject")
        transient = response is None or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return self._fallback(backoff=transient).get_object(**request)


def _is_complete(response: "BaseHTTPResponse") -> bool:
    """Whether a response has the headers that `_to_botocore_response` requires."""
    return "ETag" in response.headers and "Content-Range" in response.headers


def _to_botocore_response(response: "BaseHTTPResponse") -> dict[str, Any]:
    return {
        "Body": BytesIO(response.data),
        "ContentLength": len(response.data),
        "ContentRange": response.headers["Content-Range"],
        "ContentType": response.headers.get("Content-Type"),
        "ETag": response.headers["ETag"],
        "VersionId": response.headers.get("x-amz-version-id"),
    }


class _FastDynamoDB(_FastClient):
    def update_item(self, **request: Any) -> dict[str, Any]:
        """Call UpdateItem and return no attributes.

        Raises ClientError if the condition fails. The `Item` in its response is DynamoDB's JSON,
        with binary values in base64.
        """
        body = json.dumps(request, default=_base64).encode()
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810.UpdateItem",
        }
        response = self._http.send("POST", "/", headers, body)
        if response and response.status == HTTPStatus.OK:
            return {}
        if response and response.status == HTTPStatus.BAD_REQUEST:
            _raise_if_condition_failed(response)
        self._fallback(backoff=True).update_item(**request)
        return {}


def _raise_if_condition_failed(response: "BaseHTTPResponse") -> None:
    try:
        document = json.loads(response.data)
    except ValueError:
        return
    match document:
        case {"__type": str(kind)} if kind.rpartition("#")[2] == CONDITION_FAILED:
            error = _client_error(CONDITION_FAILED, response, "UpdateItem")
            error.response["Item"] = document.get("Item", {})  # type: ignore[typeddict-unknown-key]
            raise error


def _client_error(code: str, response: "BaseHTTPResponse", operation: str) -> ClientError:
    metadata: Any = {"HTTPStatusCode": response.status}
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata}, operation
    )


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()
