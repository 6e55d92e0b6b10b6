"""One key makes one invocation, whatever happens to its callers. Runs on the real table."""

from datetime import datetime, timedelta

import boto3
import pytest

from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.record.errors import (
    InvalidParameter,
    InvocationRejected,
    InvocationUnconfirmed,
    KeyReused,
    Unavailable,
)
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.register import RegisterInvocation
from inference_results.domain.submissions.submission_request import inference_id_for
from tests.support.submitting import INPUTS, LARGE, START, Submitters


@pytest.fixture
def callers(table_name):
    return Submitters(SubmissionStore(boto3.client("dynamodb"), table_name, shards=4))


def item(callers):
    return callers.table.item(inference_id_for("speech", "one"), "speech")


def test_a_submission_is_invoked_and_recorded_with_sagemakers_response(callers):
    submitted = callers.submit(
        content_type="text/plain",
        accept="text/csv",
        custom_attributes="tenant=acme",
        metadata={"page": "17"},
        request_ttl_seconds=60,
        invocation_timeout_seconds=5,
    )
    assert submitted.created
    (invocation,) = callers.endpoints.invocations
    assert (invocation.endpoint_name, invocation.body) == ("speech", b"hello")
    assert (invocation.content_type, invocation.accept) == ("text/plain", "text/csv")
    assert invocation.custom_attributes == "tenant=acme"
    assert invocation.request_ttl_seconds == 60
    assert invocation.invocation_timeout_seconds == 5
    inference_id = invocation.inference_id
    assert submitted.record == {
        "inference_id": inference_id,
        "endpoint_name": "speech",
        "status": "InProgress",
        "submitted_at": "2026-01-25T12:00:00.000Z",
        "recorded_at": "2026-01-25T12:00:00.000Z",
        "deadline": "2026-01-25T12:01:05.000Z",
        "content_type": "text/plain",
        "custom_attributes": "tenant=acme",
        "caller_metadata": {"page": "17"},
        "submission": {
            "output_location": f"s3://customer-outputs/async/{inference_id}-1.out",
            "failure_location": f"s3://customer-outputs/failures/{inference_id}-1.out",
        },
        "expires_at": "2026-04-25T12:01:05.000Z",
    }


def test_the_deadline_follows_sagemakers_default_limits(callers):
    assert callers.submit().record["deadline"] == "2026-01-25T18:15:00.000Z"
    assert callers.endpoints.invocations[0].request_ttl_seconds is None


def test_the_same_key_again_returns_the_record_and_invokes_nothing(callers):
    first = callers.submit()
    again = callers.submit()
    assert (again.created, again.record) == (False, first.record)
    assert callers.invocation_counts.total() == 1


def test_another_key_or_endpoint_is_another_invocation(callers):
    callers.submit()
    callers.submit(idempotency_key="two")
    callers.submit(endpoint="ocr")
    assert len(callers.invocation_counts) == 3


@pytest.mark.parametrize(
    ("body", "members"),
    [
        (b"other", {}),
        (None, {"input_location": "s3://customer-inputs/other"}),
        (b"hello", {"content_type": "text/plain"}),
        (b"hello", {"accept": "text/csv"}),
    ],
)
def test_another_request_with_the_same_key_is_rejected(callers, body, members):
    callers.submit()
    with pytest.raises(KeyReused) as raised:
        callers.submit(body, **members)
    assert raised.value.inference_id == inference_id_for("speech", "one")
    assert callers.invocation_counts.total() == 1


def test_other_metadata_or_limits_are_the_same_request(callers):
    callers.submit()
    again = callers.submit(metadata={"trace": "2"}, request_ttl_seconds=60, custom_attributes="x")
    assert not again.created


def test_derived_ids_are_valid_and_unique():
    ids = {
        inference_id_for(endpoint, key)
        for endpoint in ("a", "ab", "é")
        for key in ("b", "bb", "", "x" * 256, "ü\n")
    }
    assert len(ids) == 15
    assert all(len(each) <= 64 and each.isascii() and each.isprintable() for each in ids)


def test_a_large_input_is_uploaded_and_invoked_by_its_location(callers):
    callers.submit(LARGE)
    (invocation,) = callers.endpoints.invocations
    location = invocation.input_location
    assert location.startswith(f"{INPUTS}{invocation.inference_id}/")
    assert callers.inputs.stored == {location: LARGE}
    assert invocation.body is None


def test_another_input_for_a_withdrawn_key_has_another_location(callers):
    """Otherwise, a late upload of the first input could replace it."""
    callers.endpoints.error = InvocationRejected("ValidationError", "no")
    with pytest.raises(InvocationRejected):
        callers.submit(LARGE)
    callers.endpoints.error = None
    callers.submit(LARGE + b"x")
    assert sorted(callers.inputs.stored.values()) == [LARGE, LARGE + b"x"]


def test_a_small_input_is_uploaded_if_requests_cannot_include_it(callers):
    callers.endpoints.max_body_bytes = 0
    callers.submit(b"hello")
    assert callers.endpoints.invocations[0].input_location
    assert list(callers.inputs.stored.values()) == [b"hello"]


def test_a_large_input_is_rejected_without_an_input_prefix(callers):
    use_case = callers.use_case(input_prefix=None)
    with pytest.raises(InvalidParameter, match="^input: expected 1 to 128000 bytes"):
        use_case({"endpoint": "speech", "idempotency_key": "one"}, LARGE)


def test_the_largest_input_that_fits_is_in_the_request(callers):
    callers.submit(LARGE[:-1])
    assert callers.endpoints.invocations[0].body == LARGE[:-1]
    assert callers.inputs.stored == {}


@pytest.mark.parametrize(
    ("body", "members", "parameter"),
    [
        (None, {}, "input"),
        (b"x", {"input_location": "s3://customer-inputs/x"}, "input"),
        (b"x", {"idempotency_key": "x" * 257}, "idempotency_key"),
        (b"x", {"idempotency_key": "\ud800"}, "idempotency_key"),
        (b"x", {"request_ttl_seconds": 59}, "request_ttl_seconds"),
        (b"x", {"custom_attributes": "é"}, "custom_attributes"),
        (b"x", {"metadata": {"a": 1}}, "metadata"),
        (b"x", {"metadata": {"a": "x" * 5000}}, "metadata"),
        (b"x", {"colour": "red"}, "colour"),
        (None, {"input_location": "http://host/x"}, "input_location"),
    ],
)
def test_an_invalid_submission_names_the_parameter_and_leaves_no_record(
    callers, body, members, parameter
):
    with pytest.raises(InvalidParameter, match=f"^{parameter}: expected"):
        callers.submit(body, **members)
    assert callers.invocation_counts.total() == 0
    assert item(callers) == {}


@pytest.mark.parametrize(
    "error", [InvocationRejected("ValidationError", "no"), Unavailable("a", "b")]
)
def test_a_rejected_invocation_leaves_no_record_and_can_be_repeated(callers, error):
    callers.endpoints.error = error
    with pytest.raises(type(error)):
        callers.submit()
    assert item(callers) == {}
    callers.endpoints.error = None
    assert callers.submit(b"corrected").created


def test_after_a_lost_response_the_record_stays_in_progress_and_is_not_invoked_again(callers):
    callers.endpoints.lost_response = InvocationUnconfirmed()
    submitted = callers.submit()
    assert (submitted.created, submitted.record["status"]) == (True, "InProgress")
    assert "submission" not in submitted.record
    callers.endpoints.lost_response = None
    callers.sleep(3600)
    assert not callers.submit().created
    assert callers.invocation_counts.total() == 1


CRASHES = [
    # step, whether the caller crashes before it, body, invocations in the end
    ("create", True, b"hello", 1),
    ("create", False, b"hello", 0),
    ("create", False, LARGE, 1),
    ("put", True, LARGE, 1),
    ("put", False, LARGE, 1),
    ("claim", True, LARGE, 1),
    ("claim", False, LARGE, 0),
    ("invoke", True, b"hello", 0),
    ("invoke", False, b"hello", 1),
    ("invoke", False, LARGE, 1),
    ("register", True, b"hello", 1),
    ("register", False, b"hello", 1),
]


@pytest.mark.parametrize(("step", "before", "body", "invocations"), CRASHES)
def test_no_crash_leads_to_a_double_invocation(callers, step, before, body, invocations):
    callers.crash(step, body, before=before)
    for pause in (0, 60, 24 * 60 * 60):
        callers.sleep(pause)
        assert callers.submit(body).record["status"] == "InProgress"
        assert callers.invocation_counts.total() == invocations


def test_one_of_two_uploading_callers_invokes(callers):
    """The second starts and ends while the first is uploading."""

    class SlowInputs:
        def put(self, *_arguments):
            assert callers.submit(LARGE).created

    slow = callers.use_case(inputs=SlowInputs())
    submitted = slow({"endpoint": "speech", "idempotency_key": "one"}, LARGE)
    assert not submitted.created
    assert submitted.record["submission"]
    assert callers.invocation_counts.total() == 1


def test_the_deadline_counts_from_the_invocation_and_not_from_the_upload(callers):
    class SlowInputs:
        def put(self, *_arguments):
            callers.sleep(600)

    use_case = callers.use_case(inputs=SlowInputs())
    callers.endpoints.lost_response = InvocationUnconfirmed()
    record = use_case({"endpoint": "speech", "idempotency_key": "one"}, LARGE).record
    assert record["submitted_at"] == "2026-01-25T12:10:00.000Z"
    assert record["deadline"] == "2026-01-25T18:25:00.000Z"


def test_a_failed_upload_leaves_no_record(callers):
    class UnavailableInputs:
        def put(self, *_arguments):
            raise Unavailable("s3", "SlowDown")

    failing = callers.use_case(inputs=UnavailableInputs())
    with pytest.raises(Unavailable):
        failing({"endpoint": "speech", "idempotency_key": "one"}, LARGE)
    assert item(callers) == {}
    assert callers.submit(LARGE).created


def test_a_racing_caller_waits_for_the_response_to_the_other(callers):
    callers.crash("invoke")
    attempt = item(callers)

    def register_response():
        register = RegisterInvocation(
            registrations=callers.table,
            completes_tasks=True,
            retention=timedelta(days=90),
            now=callers.now,
        )
        register(
            attempt["inference_id"],
            {
                "endpoint": "speech",
                "submitted_at": timestamp(callers.now()),
                "output_location": "s3://customer-outputs/async/x.out",
            },
        )

    callers.during_first_sleep = register_response
    submitted = callers.submit()
    assert not submitted.created
    assert submitted.record["submission"] == {
        "output_location": "s3://customer-outputs/async/x.out"
    }


def test_a_racing_caller_invokes_if_the_other_withdrew(callers, table_name):
    callers.crash("invoke", before=True)
    key = {name: {"S": item(callers)[name]} for name in ("inference_id", "endpoint_name")}
    callers.during_first_sleep = lambda: boto3.client("dynamodb").delete_item(
        TableName=table_name, Key=key
    )
    assert callers.submit().created
    assert callers.invocation_counts.total() == 1


def test_a_racing_caller_waits_at_most_20_seconds_for_a_crashed_one(callers):
    callers.crash("invoke")
    before = callers.clock
    assert not callers.submit().created
    assert callers.clock - before <= timedelta(seconds=20)
    before = callers.clock
    assert not callers.submit().created
    assert callers.clock == before


class LostResponses:
    """DynamoDB writes, but its response is lost. botocore retries, or gives up."""

    def __init__(self, table, step, *, gives_up):
        self._table, self._step, self._gives_up = table, step, gives_up

    def __getattr__(self, name):
        write = getattr(self._table, name)
        if name != self._step:
            return write

        def write_without_response(*arguments):
            write(*arguments)
            if self._gives_up:
                raise Unavailable("dynamodb", "ReadTimeoutError")
            return write(*arguments)

        return write_without_response


@pytest.mark.parametrize(("step", "body"), [("create", b"x"), ("create", LARGE), ("claim", LARGE)])
def test_a_caller_recognizes_its_own_write_after_a_retry(callers, step, body):
    use_case = callers.use_case(attempts=LostResponses(callers.table, step, gives_up=False))
    assert use_case({"endpoint": "speech", "idempotency_key": "one"}, body).created
    assert callers.invocation_counts.total() == 1


@pytest.mark.parametrize(("step", "body"), [("create", b"x"), ("create", LARGE), ("claim", LARGE)])
def test_a_write_without_a_response_is_withdrawn_and_the_key_can_be_used_again(callers, step, body):
    use_case = callers.use_case(attempts=LostResponses(callers.table, step, gives_up=True))
    with pytest.raises(Unavailable):
        use_case({"endpoint": "speech", "idempotency_key": "one"}, body)
    assert item(callers) == {}
    assert callers.submit(body).created
    assert callers.invocation_counts.total() == 1


def test_a_failed_withdrawal_is_retried(callers):
    failures = [Unavailable("dynamodb", "x")]

    class Flaky:
        def __getattr__(self, name):
            if name == "withdraw" and failures:
                raise failures.pop()
            return getattr(callers.table, name)

    callers.endpoints.error = Unavailable("sagemaker", "ThrottlingException")
    use_case = callers.use_case(attempts=Flaky())
    with pytest.raises(Unavailable, match="sagemaker"):
        use_case({"endpoint": "speech", "idempotency_key": "one"}, b"x")
    assert item(callers) == {}


def test_recording_sagemakers_response_is_retried(callers):
    failures = [Unavailable("dynamodb", "x")]

    class Flaky:
        def __getattr__(self, name):
            if name == "register" and failures:
                raise failures.pop()
            return getattr(callers.table, name)

    use_case = callers.use_case(attempts=Flaky())
    assert "submission" in use_case({"endpoint": "speech", "idempotency_key": "one"}, b"x").record


def test_a_key_can_be_used_again_after_its_records_retention(callers):
    first = callers.submit()
    callers.clock = datetime.fromisoformat(first.record["expires_at"])
    assert callers.submit(b"other").created
    assert callers.invocation_counts.total() == 2


def test_a_withdrawal_does_not_delete_a_result(callers, table_name):
    """SageMaker returned an error, but a result exists: it is not deleted."""

    class RejectingEndpoints:
        max_body_bytes = 128_000

        def invoke(self, invocation):
            boto3.client("dynamodb").update_item(
                TableName=table_name,
                Key={
                    "inference_id": {"S": invocation.inference_id},
                    "endpoint_name": {"S": "speech"},
                },
                UpdateExpression="SET event_order = :order",
                ExpressionAttributeValues={":order": {"S": "2026"}},
            )
            raise InvocationRejected("ValidationError", "no")

    use_case = callers.use_case(endpoints=RejectingEndpoints())
    with pytest.raises(InvocationRejected):
        use_case({"endpoint": "speech", "idempotency_key": "one"}, b"hello")
    assert item(callers)["event_order"] == "2026"


def test_the_time_is_sagemakers_and_not_the_submitters(callers):
    sagemakers_time = START - timedelta(hours=3)
    callers.endpoints.now = lambda: sagemakers_time
    record = callers.submit().record
    assert record["submitted_at"] == "2026-01-25T09:00:00.000Z"
    assert record["deadline"] == "2026-01-25T15:15:00.000Z"
