"""The demo's second part: a double submission, and a notification that is lost."""

import json
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
    """True if the double submission invoked once, and the lost notification was made up for."""
    session = boto3.Session(profile_name=SUBMITTER_ROLE)
    with Client(outputs[StackOutput.API_URL], session=session) as client:
        once = _submit_twice(client, console)
        recovered = _lose_a_notification(client, outputs, console)
    return once and recovered


def _submit_twice(client: Client, console: Console) -> bool:
    key = f"order-{uuid.uuid4().hex[:6]}"
    submitted, again = (
        client.submit("speech", b"good evening", idempotency_key=key, metadata={"try": number})
        for number in ("first", "second")
    )
    times = _invocations().get(submitted.inference_id, 0)
    ended = client.wait(submitted.inference_id, _WAIT_SECONDS)
    console.print(f"\nsubmitted twice with the key {key}: invoked {_times(times)}, {ended.status}")
    same = submitted.inference_id == again.inference_id
    return same and times == 1 and ended.caller_metadata == {"try": "first"}


def _lose_a_notification(client: Client, outputs: dict[str, str], console: Console) -> bool:
    response = boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName="speech", Body=b"unheard of", CustomAttributes="simulate-silence"
    )
    _await_object(response["OutputLocation"])
    # As of an hour ago, so that its deadline has passed.
    registered = client.register(
        response,
        endpoint="speech",
        submitted_at=datetime.now(UTC) - _SUBMITTED_AGO,
        request_ttl_seconds=60,
        invocation_timeout_seconds=60,
    )
    function_name = outputs[StackOutput.RECONCILE_FUNCTION_NAME]
    answer = boto3.client("lambda").invoke(FunctionName=function_name)["Payload"].read()
    found = client.get(registered.inference_id)
    console.print(
        f"a lost notification: {registered.status}, and after a sweep ({json.loads(answer)}) "
        f"{found.status}, source {found.source}",
        highlight=False,
    )
    output = client.output(found.inference_id)
    return (found.status, found.source, output) == ("Completed", "reconciliation", b"unheard of")


def _await_object(location: str) -> None:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    boto3.client("s3").get_waiter("object_exists").wait(
        Bucket=bucket, Key=key, WaiterConfig={"Delay": 1, "MaxAttempts": _WAIT_SECONDS}
    )


def _invocations() -> dict[str, int]:
    """How often the pretend endpoint invoked each inference id."""
    url = os.environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"]
    counted: dict[str, int] = httpx.get(url, trust_env=False).json()
    return counted


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
