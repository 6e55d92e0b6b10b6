"""The deployed reconcile function ends records without notifications and crashed submissions."""

import uuid
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sagemaker import INVOKE_CONFIG, AsyncEndpoints
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.contract import StackOutput
from inference_results.domain.submissions.submission_request import inference_id_for
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from tests.deploy.inferences import OVERDUE, ended, invocation_counts, object_exists
from tests.support.submitting import LARGE, Submitters
from tests.support.waiting import eventually


def test_reconcile_finds_results_without_notifications(
    invoke, register, wait_for_record, reconcile
):
    unnotified = invoke(b"recovered", "simulate-silence")
    failing = invoke(custom_attributes="simulate-silence simulate-failure=500")
    expiring = invoke(custom_attributes="simulate-silence simulate-expiry")
    locations = (unnotified["OutputLocation"], failing["FailureLocation"])
    # Wait before registering, because the deployed schedule reconciles too.
    eventually(lambda: all(object_exists(each) for each in locations))
    for each in (unnotified, failing, expiring):
        register(each, **OVERDUE)
    reconcile()
    found = wait_for_record(unnotified["InferenceId"])
    assert (found["status"], found["source"]) == ("Completed", "reconciliation")
    assert found["output"]["inline"]["content"] == "recovered"
    failed = wait_for_record(failing["InferenceId"])
    assert (failed["status"], failed["source"]) == ("Failed", "reconciliation")
    assert failed["failure"]["location"] == failing["FailureLocation"]
    lost = wait_for_record(expiring["InferenceId"])
    assert (lost["status"], lost["failure"]["code"]) == ("Lost", "LOST")


@pytest.fixture
def submitters(outputs):
    """Submitters in this process whose clock is a day behind, so their attempts are overdue."""
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
def test_a_crashed_submission_invokes_at_most_once_and_ends(
    submitters, reconcile, wait_for_record, step, before, body, invoked, status
):
    key = str(uuid.uuid4())
    submitters.crash(step, body, before=before, idempotency_key=key)
    submitters.sleep(120)
    for _ in range(3):
        submitters.submit(body, idempotency_key=key)
    reconcile()
    inference_id = inference_id_for("speech", key)
    assert eventually(lambda: ended(wait_for_record(inference_id)))["status"] == status
    submitters.submit(body, idempotency_key=key)
    assert invocation_counts()[inference_id] == invoked
