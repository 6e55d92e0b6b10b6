"""Registrations, records and invocations of single inferences on the local system."""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx

OVERDUE = {
    "submitted_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
    "request_ttl_seconds": 60,
    "invocation_timeout_seconds": 1,
}
"""Members of a registration that is overdue at once."""


def ended(record: dict[str, Any]) -> Any:
    """Return the record if the inference has ended, for `eventually`."""
    return record["status"] != "InProgress" and record


def object_exists(location: str) -> bool:
    """Return whether S3 has an object at a location `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] > 0


def invocation_counts() -> Counter[str]:
    """Return how often the simulated endpoint invoked each inference id."""
    url = os.environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"]
    return Counter(httpx.get(url, trust_env=False).json())
