import base64

import pytest

from inference_results.domain.record.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.record.result import Output, OutputError
from inference_results.domain.results.ports import Disposition
from tests.fakes import FAILURES, World
from tests.samples import PREFIX, body, completed, failed, sample

DENIED = ObjectDenied("AccessDenied", "S3 refuses to hand out the object")


@pytest.fixture
def world():
    return World()


def test_a_completed_result_is_recorded_with_its_pinned_output(world):
    world.objects.stored[PREFIX + "one.out"] = b"0.93\n"
    assert world.settle(body(completed())) is Disposition.RECORDED
    outcome = world.outcome
    assert (outcome.inference_id, outcome.endpoint_name) == ("inference-1", "churn-endpoint")
    assert outcome.status == "Completed"
    assert outcome.event_time == "2022-01-25T22:46:00.608Z"
    assert outcome.received_at == "2022-01-25T22:46:00.455Z"
    assert outcome.recorded_at == "2026-01-25T12:00:00.000Z"
    assert outcome.input_location == "s3://churn-data/input/input-data.csv"
    assert outcome.content_type == "text/csv"
    assert outcome.output == Output(
        location="s3://customer-outputs/async/one.out",
        bucket="customer-outputs",
        key="async/one.out",
        version_id="version-1",
        etag='"etag"',
        size=5,
        content_type="text/csv; charset=utf-8",
        inline=b"0.93\n",
    )
    assert outcome.output_error is None
    assert outcome.failure is None


def test_the_record_expires_after_the_retention(world):
    world.settle(body(completed()), receive_count=3)
    assert world.outcome.expires_at == 1_769_342_400 + 90 * 24 * 3600


@pytest.mark.parametrize(("size", "inline"), [(0, True), (1023, True), (1024, True), (1025, False)])
def test_an_output_is_inline_only_when_it_is_whole(world, size, inline):
    world.objects.stored[PREFIX + "one.out"] = b"x" * size
    world.settle(body(completed()))
    assert world.outcome.output.size == size
    assert world.outcome.output.inline == (b"x" * size if inline else None)


def test_of_any_output_only_the_first_bytes_are_read(world):
    world.objects.stored[PREFIX + "one.out"] = b"x" * 5000
    world.settle(body(completed()))
    assert world.objects.asked == [(PREFIX + "one.out", 1024)]


def test_the_content_type_of_the_object_stands_in_where_the_event_has_none(world):
    event = completed()
    del event["responseParameters"]["contentType"]
    world.objects.stored[PREFIX + "one.out"] = b""
    world.settle(body(event))
    assert world.outcome.output.content_type == "binary/octet-stream"


def test_a_response_inside_the_notification_needs_no_read(world):
    response = {"content": base64.b64encode(b"hello").decode(), "encoding": "BASE64"}
    world.settle(body(completed(responseBody=response)))
    assert world.objects.asked == []
    assert world.outcome.output.inline == b"hello"
    assert world.outcome.output.size == 5
    assert world.outcome.output.location == PREFIX + "one.out"


def test_a_large_response_inside_the_notification_is_kept_as_a_reference(world):
    world.settle(body(completed(responseBody={"content": "x" * 100_000})))
    assert world.objects.asked == []
    assert world.outcome.output.inline is None
    assert world.outcome.output.size == 100_000


def test_a_response_body_that_cannot_be_used_is_read_from_s3(world):
    world.objects.stored[PREFIX + "one.out"] = b"hello"
    world.settle(body(completed(responseBody={"message": "see S3"})))
    assert world.outcome.output.inline == b"hello"


def test_a_completion_without_a_location_is_recorded_with_an_error(world):
    assert (
        world.settle(body(sample("completed", responseParameters=None)))
        is Disposition.RECORDED_WITH_OUTPUT_ERROR
    )
    assert world.outcome.status == "Completed"
    assert world.outcome.output is None
    assert world.outcome.output_error.code == "LocationMissing"


def test_a_completion_without_a_location_but_with_its_response_is_whole(world):
    event = sample("completed-with-response-body", responseParameters=None)
    assert world.settle(body(event)) is Disposition.RECORDED
    assert world.outcome.output.inline == b'{"text": "good morning"}'


@pytest.mark.parametrize(
    "location",
    [
        "s3://foreign-bucket/async/one.out",
        "s3://customer-outputs/async/../secret.out",
        "https://example.com/one.out",
    ],
)
def test_a_location_that_is_not_allowed_is_never_asked_for(world, location):
    event = completed()
    event["responseParameters"]["outputLocation"] = location
    assert world.settle(body(event)) is Disposition.RECORDED_WITH_OUTPUT_ERROR
    assert world.objects.asked == []
    assert world.outcome.status == "Completed"
    assert world.outcome.output is None
    assert world.outcome.output_error.location == location


@pytest.mark.parametrize("error", [ObjectMissing("NoSuchKey", "none"), DENIED])
@pytest.mark.parametrize("receive_count", [1, 2])
def test_an_unreadable_output_is_tried_again_on_the_first_receives(world, error, receive_count):
    world.objects.stored[PREFIX + "one.out"] = error
    with pytest.raises(type(error)):
        world.settle(body(completed()), receive_count=receive_count)
    assert world.records.outcomes == {}


@pytest.mark.parametrize("error", [ObjectMissing("NoSuchKey", "none"), DENIED])
def test_a_status_is_not_withheld_when_the_output_stays_unreadable(world, error):
    world.objects.stored[PREFIX + "one.out"] = error
    assert (
        world.settle(body(completed()), receive_count=3) is Disposition.RECORDED_WITH_OUTPUT_ERROR
    )
    assert world.outcome.status == "Completed"
    assert world.outcome.output.location == PREFIX + "one.out"
    assert world.outcome.output.size is None
    assert world.outcome.output_error == OutputError(error.code, error.message)


def test_an_unavailable_s3_is_tried_again_however_often(world):
    world.objects.stored[PREFIX + "one.out"] = Unavailable("s3", "SlowDown")
    with pytest.raises(Unavailable):
        world.settle(body(completed()), receive_count=5)


def test_a_failure_is_recorded_with_the_beginning_of_the_models_answer(world):
    world.objects.stored[FAILURES + "e.out"] = "grün".encode() + b"x" * 5000
    event = failed(responseParameters={"failureLocation": FAILURES + "e.out"})
    assert world.settle(body(event)) is Disposition.RECORDED
    failure = world.outcome.failure
    assert (failure.code, failure.model_status, failure.retryable) == (
        "MODEL_ERROR_4XX",
        400,
        False,
    )
    assert failure.location == FAILURES + "e.out"
    assert failure.body_preview.startswith("grünxxx")
    assert len(failure.body_preview.encode()) == 1024
    assert world.outcome.output is None


def test_a_missing_failure_object_is_normal(world):
    event = failed(failureLocation=FAILURES + "none.out")
    assert world.settle(body(event)) is Disposition.RECORDED
    assert world.outcome.failure.location == FAILURES + "none.out"
    assert world.outcome.failure.body_preview is None
    assert world.outcome.output_error is None


def test_a_failure_without_a_location_uses_the_one_recorded_at_submission(world):
    world.records.submitted["inference-1", "diffusion-endpoint"] = FAILURES + "told.out"
    world.objects.stored[FAILURES + "told.out"] = b"out of memory"
    world.settle(body(failed()))
    assert world.outcome.failure.location == FAILURES + "told.out"
    assert world.outcome.failure.body_preview == "out of memory"


def test_a_failure_without_any_location_asks_s3_nothing(world):
    assert world.settle(body(failed())) is Disposition.RECORDED
    assert world.objects.asked == []
    assert world.outcome.failure.location is None


def test_a_failure_location_that_is_not_allowed_is_never_asked_for(world):
    world.settle(body(failed(failureLocation="s3://foreign/error")))
    assert world.objects.asked == []
    assert world.outcome.failure.location is None
    assert world.outcome.output_error.location == "s3://foreign/error"


def test_the_preview_comes_from_the_notification_if_it_holds_the_response(world):
    world.settle(body(sample("failed-with-plain-response-body")))
    assert world.outcome.failure.code == "MODEL_TIMEOUT"
    assert world.outcome.failure.body_preview == "worker timed out after 60 s"


def test_an_expired_inference_is_told_from_a_failed_one(world):
    world.settle(body(failed(invocationStatus="EXPIRED", failureReason=None)))
    assert world.outcome.status == "Expired"
    assert world.outcome.failure.code == "EXPIRED"


def test_a_failure_has_no_output_even_if_the_event_names_a_place_for_one(world):
    event = completed(invocationStatus="Failed", responseBody={"content": "boom"})
    assert world.settle(body(event)) is Disposition.RECORDED
    assert world.outcome.output is None
    assert world.outcome.failure.body_preview == "boom"
    assert world.objects.asked == []


def test_a_completion_has_no_failure_even_if_the_event_names_a_place_for_one(world):
    world.objects.stored[PREFIX + "one.out"] = b""
    world.settle(body(completed(failureLocation=FAILURES + "e.out")))
    assert world.outcome.failure is None
    assert world.objects.asked == [(PREFIX + "one.out", 1024)]


def test_an_odd_field_is_left_out_of_the_record_and_named_in_it(world):
    world.objects.stored[PREFIX + "one.out"] = b""
    assert world.settle(body(completed(receivedTime="yesterday"))) is Disposition.RECORDED
    assert world.outcome.received_at is None
    assert world.outcome.ignored_fields == ("receivedTime",)


def test_an_unknown_status_is_recorded_with_what_the_event_says(world):
    world.objects.stored[PREFIX + "one.out"] = b"partial"
    event = completed(invocationStatus="Preempted", failureReason="capacity")
    assert world.settle(body(event)) is Disposition.RECORDED
    assert world.outcome.status == "Preempted"
    assert world.outcome.output.inline == b"partial"
    assert world.outcome.failure.reason == "capacity"


def test_a_test_notification_is_ignored(world):
    assert world.settle(body(sample("test-notification"))) is Disposition.IGNORED
    assert world.records.outcomes == {}
    assert world.parking.parked == []


def test_what_is_no_notification_is_parked_with_the_reason(world):
    assert world.settle("not json") is Disposition.UNPROCESSABLE
    ((text, why),) = world.parking.parked
    assert text == "not json"
    assert why.reason == "NotJson"


def test_the_second_delivery_of_an_event_is_a_duplicate(world):
    world.settle(body(failed()))
    assert world.settle(body(failed())) is Disposition.DUPLICATE


def test_a_late_failure_does_not_overwrite_a_newer_completion(world):
    world.objects.stored[PREFIX + "one.out"] = b""
    world.settle(body(completed(eventTime="2026-01-01T00:00:01Z")))
    late = failed(
        eventTime="2026-01-01T00:00:00Z",
        requestParameters={"endpointName": "churn-endpoint"},
    )
    assert world.settle(body(late)) is Disposition.SUPERSEDED
    assert world.outcome.status == "Completed"
