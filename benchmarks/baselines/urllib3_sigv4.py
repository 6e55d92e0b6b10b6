"""The two calls without an SDK, with urllib3 and SigV4.

It has no retries, partial failures or metrics. Do not use it in production.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3

from benchmarks.baselines.conditional_update import (
    INLINE_OUTPUT_BYTES,
    object_of,
    update_for_notification,
)

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HOST = urlsplit(ENDPOINT).netloc
REGION = os.environ["AWS_REGION"]
http = urllib3.PoolManager(ca_certs=os.environ.get("AWS_CA_BUNDLE"))


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        notification = json.loads(record["body"])
        target = object_of(notification["responseParameters"]["outputLocation"])
        path = f"/{target['Bucket']}/{quote(target['Key'])}"
        byte_range = {"range": f"bytes=0-{INLINE_OUTPUT_BYTES - 1}"}
        start = _call("GET", path, "s3", byte_range, b"").data
        body = json.dumps(update_for_notification(notification, start), default=_base64).encode()
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810.UpdateItem",
        }
        response = _call("POST", "/", "dynamodb", headers, body)
        if response.status != 200 and b"ConditionalCheckFailed" not in response.data:
            raise RuntimeError(response.data)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _call(
    method: str, path: str, service: str, headers: dict[str, str], body: bytes
) -> urllib3.BaseHTTPResponse:
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/{REGION}/{service}/aws4_request"
    digest = hashlib.sha256(body).hexdigest()
    headers = {**headers, "host": HOST, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = sorted(headers)
    canonical = [method, path, "", *(f"{name}:{headers[name]}" for name in names), ""]
    canonical += [";".join(names), digest]
    hashed = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashed}"
    signature = hmac.digest(_key(scope), text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return http.request(method, ENDPOINT + path, body=body or None, headers=headers)


@cache
def _key(scope: str) -> bytes:
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
