"""The deployed sweep, called by hand: what nobody announced, and what a crash left, has an end."""

import uuid
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sagemaker import INVOKE_CONFIG, AsyncEndpoints
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.contract import StackOutput
from inference_results.domain.submissions.submit import inference_id_for
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from tests.deploy.conftest import OVERDUE, ended, eventually, invocations, is_there
from tests.submitting import LARGE, Submitters


def test_what_nobody_announced_is_found_by_the_sweep(invoke, register, record_of, sweep):
    silent = invoke(b"unheard of", "simulate-silence")
    broken = invoke(wishes="simulate-silence simulate-failure=500")
    gone = invoke(wishes="simulate-silence simulate-expiry")
    places = (silent["OutputLocation"], broken["FailureLocation"])
    # Before they are registered: the deployed schedule sweeps as well.
    eventually(lambda: all(is_there(each) for each in places))
    for each in (silent, broken, gone):
        register(each, **OVERDUE)
    sweep()
    found = record_of(silent["InferenceId"])
    assert (found["status"], found["source"]) == ("Completed", "reconciliation")
    assert found["output"]["inline"]["content"] == "unheard of"
    failed = record_of(broken["InferenceId"])
    assert (failed["status"], failed["source"]) == ("Failed", "reconciliation")
    assert failed["failure"]["location"] == broken["FailureLocation"]
    lost = record_of(gone["InferenceId"])
    assert (lost["status"], lost["failure"]["code"]) == ("Lost", "LOST")


@pytest.fixture
def callers(outputs):
    """Callers in this process, whose clock is a day behind: their attempts are overdue."""
    dynamodb = boto3.client("dynamodb")
    table_name, shards = outputs[StackOutput.TABLE_NAME], int(outputs[StackOutput.SHARDS])
    return Submitters(
        SubmissionStore(dynamodb, table_name, shards),
        clock=datetime.now(UTC) - timedelta(days=1),
        endpoints=AsyncEndpoints(boto3.client("sagemaker-runtime", config=INVOKE_CONFIG)),
        inputs=S3Objects(boto3.client("s3")),
        input_prefix=f"s3://{OUTPUT_BUCKET}/{INPUT_PREFIX}",
    )


@pytest.mark.parametrize(
    ("step", "before", "body", "invoked", "status"),
    [
        ("create", True, b"hello", 1, "Completed"),
        ("create", False, b"hello", 0, "Lost"),
        ("create", False, LARGE, 1, "Completed"),
        ("put", False, LARGE, 1, "Completed"),
        ("claim", False, LARGE, 0, "Lost"),
        ("invoke", False, b"hello", 1, "Completed"),
        ("register", False, b"hello", 1, "Completed"),
    ],
)
def test_a_caller_that_crashes_leaves_no_double_invocation_and_nothing_without_an_end(
    callers, sweep, record_of, step, before, body, invoked, status
):
    key = str(uuid.uuid4())
    callers.crash(step, body, before=before, idempotency_key=key)
    callers.sleep(120)
    for _ in range(3):
        callers.submit(body, idempotency_key=key)
    sweep()
    inference_id = inference_id_for("speech", key)
    assert eventually(lambda: ended(record_of(inference_id)))["status"] == status
    callers.submit(body, idempotency_key=key)
    assert invocations()[inference_id] == invoked
