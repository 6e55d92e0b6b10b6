import base64

import pytest

from inference_results.domain.record.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.record.result import Output, OutputError
from inference_results.domain.results.ports import Disposition
from tests.support.fakes import FAILURES, World
from tests.support.samples import PREFIX, body, completed, failed, sample

DENIED = ObjectDenied("AccessDenied", "S3 denied access to the object")


@pytest.fixture
def world():
    return World()


def test_a_completed_result_is_recorded_with_its_pinned_output(world):
    world.objects.stored[PREFIX + "one.out"] = b"0.93\n"
    assert world.process(body(completed())) is Disposition.RECORDED
    result = world.result
    assert (result.inference_id, result.endpoint_name) == ("inference-1", "churn-endpoint")
    assert result.status == "Completed"
    assert result.event_time == "2022-01-25T22:46:00.608Z"
    assert result.received_at == "2022-01-25T22:46:00.455Z"
    assert result.recorded_at == "2026-01-25T12:00:00.000Z"
    assert result.input_location == "s3://churn-data/input/input-data.csv"
    assert result.content_type == "text/csv"
    assert result.output == Output(
        location="s3://customer-outputs/async/one.out",
        bucket="customer-outputs",
        key="async/one.out",
        version_id="version-1",
        etag='"etag"',
        size=5,
        content_type="text/csv; charset=utf-8",
        inline=b"0.93\n",
    )
    assert result.output_error is None
    assert result.failure is None


def test_the_record_expires_after_the_retention(world):
    world.process(body(completed()), receive_count=3)
    assert world.result.expires_at == 1_769_342_400 + 90 * 24 * 3600


@pytest.mark.parametrize(("size", "inline"), [(0, True), (1023, True), (1024, True), (1025, False)])
def test_only_an_output_within_the_limit_is_inline(world, size, inline):
    world.objects.stored[PREFIX + "one.out"] = b"x" * size
    world.process(body(completed()))
    assert world.result.output.size == size
    assert world.result.output.inline == (b"x" * size if inline else None)


def test_only_the_first_bytes_of_an_output_are_read(world):
    world.objects.stored[PREFIX + "one.out"] = b"x" * 5000
    world.process(body(completed()))
    assert world.objects.reads == [(PREFIX + "one.out", 1024)]


def test_the_objects_content_type_is_used_if_the_notification_has_none(world):
    event = completed()
    del event["responseParameters"]["contentType"]
    world.objects.stored[PREFIX + "one.out"] = b""
    world.process(body(event))
    assert world.result.output.content_type == "binary/octet-stream"


def test_a_response_in_the_notification_is_not_read_from_s3(world):
    response = {"content": base64.b64encode(b"hello").decode(), "encoding": "BASE64"}
    world.process(body(completed(responseBody=response)))
    assert world.objects.reads == []
    assert world.result.output.inline == b"hello"
    assert world.result.output.size == 5
    assert world.result.output.location == PREFIX + "one.out"


def test_a_large_response_in_the_notification_is_stored_as_a_reference(world):
    world.process(body(completed(responseBody={"content": "x" * 100_000})))
    assert world.objects.reads == []
    assert world.result.output.inline is None
    assert world.result.output.size == 100_000


def test_an_invalid_response_body_is_read_from_s3_instead(world):
    world.objects.stored[PREFIX + "one.out"] = b"hello"
    world.process(body(completed(responseBody={"message": "see S3"})))
    assert world.result.output.inline == b"hello"


def test_a_completion_without_a_location_is_recorded_with_an_error(world):
    assert (
        world.process(body(sample("completed", responseParameters=None)))
        is Disposition.RECORDED_WITH_OUTPUT_ERROR
    )
    assert world.result.status == "Completed"
    assert world.result.output is None
    assert world.result.output_error.code == "LocationMissing"


def test_a_completion_without_a_location_keeps_the_response_in_the_notification(world):
    event = sample("completed-with-response-body", responseParameters=None)
    assert world.process(body(event)) is Disposition.RECORDED
    assert world.result.output.inline == b'{"text": "good morning"}'


@pytest.mark.parametrize(
    "location",
    [
        "s3://foreign-bucket/async/one.out",
        "s3://customer-outputs/async/../secret.out",
        "https://example.com/one.out",
    ],
)
def test_an_output_outside_the_prefixes_is_not_read(world, location):
    event = completed()
    event["responseParameters"]["outputLocation"] = location
    assert world.process(body(event)) is Disposition.RECORDED_WITH_OUTPUT_ERROR
    assert world.objects.reads == []
    assert world.result.status == "Completed"
    assert world.result.output is None
    assert world.result.output_error.location == location


@pytest.mark.parametrize("error", [ObjectMissing("NoSuchKey", "none"), DENIED])
@pytest.mark.parametrize("receive_count", [1, 2])
def test_an_unreadable_output_is_retried_on_the_first_receives(world, error, receive_count):
    world.objects.stored[PREFIX + "one.out"] = error
    with pytest.raises(type(error)):
        world.process(body(completed()), receive_count=receive_count)
    assert world.records.results == {}


@pytest.mark.parametrize("error", [ObjectMissing("NoSuchKey", "none"), DENIED])
def test_the_status_is_recorded_if_the_output_stays_unreadable(world, error):
    world.objects.stored[PREFIX + "one.out"] = error
    assert (
        world.process(body(completed()), receive_count=3) is Disposition.RECORDED_WITH_OUTPUT_ERROR
    )
    assert world.result.status == "Completed"
    assert world.result.output.location == PREFIX + "one.out"
    assert world.result.output.size is None
    assert world.result.output_error == OutputError(error.code, error.message)


def test_an_unavailable_s3_is_retried_on_every_receive(world):
    world.objects.stored[PREFIX + "one.out"] = Unavailable("s3", "SlowDown")
    with pytest.raises(Unavailable):
        world.process(body(completed()), receive_count=5)


def test_a_failure_is_recorded_with_the_start_of_the_models_response(world):
    world.objects.stored[FAILURES + "e.out"] = "grün".encode() + b"x" * 5000
    event = failed(responseParameters={"failureLocation": FAILURES + "e.out"})
    assert world.process(body(event)) is Disposition.RECORDED
    failure = world.result.failure
    assert (failure.code, failure.model_status, failure.retryable) == (
        "MODEL_ERROR_4XX",
        400,
        False,
    )
    assert failure.location == FAILURES + "e.out"
    assert failure.body_preview.startswith("grünxxx")
    assert len(failure.body_preview.encode()) == 1024
    assert world.result.output is None


def test_a_missing_failure_object_is_no_error(world):
    event = failed(failureLocation=FAILURES + "none.out")
    assert world.process(body(event)) is Disposition.RECORDED
    assert world.result.failure.location == FAILURES + "none.out"
    assert world.result.failure.body_preview is None
    assert world.result.output_error is None


def test_a_failure_without_a_location_uses_the_one_recorded_at_submission(world):
    world.records.promised["inference-1", "diffusion-endpoint"] = FAILURES + "promised.out"
    world.objects.stored[FAILURES + "promised.out"] = b"out of memory"
    world.process(body(failed()))
    assert world.result.failure.location == FAILURES + "promised.out"
    assert world.result.failure.body_preview == "out of memory"


def test_a_failure_without_a_location_reads_nothing(world):
    assert world.process(body(failed())) is Disposition.RECORDED
    assert world.objects.reads == []
    assert world.result.failure.location is None


def test_a_failure_object_outside_the_prefixes_is_not_read(world):
    world.process(body(failed(failureLocation="s3://foreign/error")))
    assert world.objects.reads == []
    assert world.result.failure.location is None
    assert world.result.output_error.location == "s3://foreign/error"


def test_the_preview_comes_from_the_response_in_the_notification(world):
    world.process(body(sample("failed-with-plain-response-body")))
    assert world.result.failure.code == "MODEL_TIMEOUT"
    assert world.result.failure.body_preview == "worker timed out after 60 s"


def test_an_expired_inference_is_recorded_as_expired(world):
    world.process(body(failed(invocationStatus="EXPIRED", failureReason=None)))
    assert world.result.status == "Expired"
    assert world.result.failure.code == "EXPIRED"


def test_a_failure_has_no_output_even_if_the_notification_names_one(world):
    event = completed(invocationStatus="Failed", responseBody={"content": "boom"})
    assert world.process(body(event)) is Disposition.RECORDED
    assert world.result.output is None
    assert world.result.failure.body_preview == "boom"
    assert world.objects.reads == []


def test_a_completion_has_no_failure_even_if_the_notification_names_one(world):
    world.objects.stored[PREFIX + "one.out"] = b""
    world.process(body(completed(failureLocation=FAILURES + "e.out")))
    assert world.result.failure is None
    assert world.objects.reads == [(PREFIX + "one.out", 1024)]


def test_an_invalid_optional_field_is_left_out_and_listed(world):
    world.objects.stored[PREFIX + "one.out"] = b""
    assert world.process(body(completed(receivedTime="yesterday"))) is Disposition.RECORDED
    assert world.result.received_at is None
    assert world.result.ignored_fields == ("receivedTime",)


def test_an_unknown_status_is_recorded_with_output_and_failure(world):
    world.objects.stored[PREFIX + "one.out"] = b"partial"
    event = completed(invocationStatus="Preempted", failureReason="capacity")
    assert world.process(body(event)) is Disposition.RECORDED
    assert world.result.status == "Preempted"
    assert world.result.output.inline == b"partial"
    assert world.result.failure.reason == "capacity"


def test_a_test_notification_is_ignored(world):
    assert world.process(body(sample("test-notification"))) is Disposition.IGNORED
    assert world.records.results == {}
    assert world.rejections.rejected == []


def test_an_unprocessable_message_is_rejected_with_the_reason(world):
    assert world.process("not json") is Disposition.UNPROCESSABLE
    ((text, error),) = world.rejections.rejected
    assert text == "not json"
    assert error.reason == "NotJson"


def test_a_redelivered_notification_is_a_duplicate(world):
    world.process(body(failed()))
    assert world.process(body(failed())) is Disposition.DUPLICATE


def test_a_late_failure_does_not_overwrite_a_newer_completion(world):
    world.objects.stored[PREFIX + "one.out"] = b""
    world.process(body(completed(eventTime="2026-01-01T00:00:01Z")))
    late = failed(
        eventTime="2026-01-01T00:00:00Z",
        requestParameters={"endpointName": "churn-endpoint"},
    )
    assert world.process(body(late)) is Disposition.SUPERSEDED
    assert world.result.status == "Completed"
