"""The same two calls without an SDK: urllib3 and SigV4.

No second attempt, no partial failures, no metrics: nothing to run, but something to compare with.
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

from benchmarks.baselines.conditional_update import INLINE_OUTPUT_BYTES, place, update_of

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HOST = urlsplit(ENDPOINT).netloc
REGION = os.environ["AWS_REGION"]
http = urllib3.PoolManager(ca_certs=os.environ.get("AWS_CA_BUNDLE"))


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        notification = json.loads(record["body"])
        where = place(notification["responseParameters"]["outputLocation"])
        path = f"/{where['Bucket']}/{quote(where['Key'])}"
        limit = {"range": f"bytes=0-{INLINE_OUTPUT_BYTES - 1}"}
        start = _call("GET", path, "s3", limit, b"").data
        body = json.dumps(update_of(notification, start), default=_base64).encode()
        update = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810.UpdateItem",
        }
        answer = _call("POST", "/", "dynamodb", update, body)
        if answer.status != 200 and b"ConditionalCheckFailed" not in answer.data:
            raise RuntimeError(answer.data)


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
