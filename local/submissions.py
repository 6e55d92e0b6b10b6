"""The second part of the demo: a submission sent twice, and a lost notification."""

import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

import boto3
import httpx
from rich.console import Console

from inference_results.client import Client
from inference_results.contract import StackOutput
from local.environment import SUBMITTER_ROLE

_SUBMITTED_AGO: Final = timedelta(hours=1)
_WAIT_SECONDS: Final = 30


def show_submissions(outputs: dict[str, str], console: Console) -> bool:
    """Return True if the repeated submission invoked once and reconciliation found the output."""
    session = boto3.Session(profile_name=SUBMITTER_ROLE)
    with Client(outputs[StackOutput.API_URL], session=session) as client:
        once = _submit_twice(client, console)
        recovered = _lose_a_notification(client, outputs, console)
    return once and recovered


def _submit_twice(client: Client, console: Console) -> bool:
    key = f"order-{uuid.uuid4().hex[:6]}"
    first, second = (
        client.submit("speech", b"good evening", idempotency_key=key, metadata={"try": number})
        for number in ("first", "second")
    )
    count = _invocations().get(first.inference_id, 0)
    record = client.wait(first.inference_id, _WAIT_SECONDS)
    times = "once" if count == 1 else f"{count} times"
    console.print(f"\nSubmitted twice with the key {key}: invoked {times}, {record.status}")
    same_id = first.inference_id == second.inference_id
    return same_id and count == 1 and record.caller_metadata == {"try": "first"}


def _lose_a_notification(client: Client, outputs: dict[str, str], console: Console) -> bool:
    content = b"recovered"
    response = boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName="speech", Body=content, CustomAttributes="simulate-silence"
    )
    _wait_for_object(response["OutputLocation"])
    # Backdated, so the deadline has already passed.
    registered = client.register(
        response,
        endpoint="speech",
        submitted_at=datetime.now(UTC) - _SUBMITTED_AGO,
        request_ttl_seconds=60,
        invocation_timeout_seconds=60,
    )
    function_name = outputs[StackOutput.RECONCILE_FUNCTION_NAME]
    boto3.client("lambda").invoke(FunctionName=function_name)
    found = client.get(registered.inference_id)
    console.print(
        f"Lost notification: {registered.status}, then {found.status} (source {found.source})",
        highlight=False,
    )
    output = client.output(found.inference_id)
    return (found.status, found.source, output) == ("Completed", "reconciliation", content)


def _wait_for_object(location: str) -> None:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    boto3.client("s3").get_waiter("object_exists").wait(
        Bucket=bucket, Key=key, WaiterConfig={"Delay": 1, "MaxAttempts": _WAIT_SECONDS}
    )


def _invocations() -> dict[str, int]:
    """Return how often the simulated endpoint invoked each inference id."""
    url = os.environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"]
    counts: dict[str, int] = httpx.get(url, trust_env=False).json()
    return counts
