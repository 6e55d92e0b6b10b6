import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.results import notification
from inference_results.domain.results.notification import ResultNotification, parse_notification
from tests.samples import EVENTS, body, completed, failed, sample


def parsed(event: dict[str, Any]) -> ResultNotification:
    result = parse_notification(body(event))
    assert isinstance(result, ResultNotification)
    return result


def refusal(text: str) -> str:
    with pytest.raises(Unprocessable) as refused:
        parse_notification(text)
    return str(refused.value)


@pytest.mark.parametrize("file", sorted(EVENTS.glob("*.json")), ids=lambda file: file.stem)
def test_every_sample_seen_in_the_wild_is_understood(file):
    result = parse_notification(file.read_text())
    assert isinstance(result, (ResultNotification, notification.TestNotification))


def test_a_completed_event_is_read_field_by_field():
    result = parsed(sample("completed-key-with-space-and-colons"))
    assert replace(result, digest="") == ResultNotification(
        inference_id="03a98604-cf1f-44d1-b9c4-801dcbbe792b",
        endpoint_name="async-embed-endpoint",
        status="Completed",
        event_time="2024-03-29T03:48:05.077Z",
        received_at="2024-03-29T03:48:04.279Z",
        input_location="s3://embed-bucket/models/embed/inputs/"
        "302586-shopProductImage-2024-03-29 03:48:03.json",
        content_type="application/json",
        custom_attributes=None,
        output_location="s3://embed-bucket/models/embed/outputs/"
        "dd334eb2-0276-4107-972a-280e0eecfd30.out",
        output_content_type="application/json",
        failure_location=None,
        failure_reason=None,
        response_body=None,
        ignored_fields=(),
        digest="",
    )


def test_the_event_inside_an_sns_envelope_reads_like_the_raw_one():
    assert parsed(sample("sns-envelope-in-sqs-body")) == parsed(sample("completed"))


def test_a_failed_event_without_response_parameters_is_a_result():
    result = parsed(sample("failed"))
    assert result.status == "Failed"
    assert result.failure_location is None


def test_the_failure_location_is_found_in_the_response_parameters():
    location = "s3://ocr-bucket/failure/5c5a6f0e-0b6e-4f7a-9a52-2f5c0f9f7d11-error.out"
    assert parsed(sample("failed-with-failure-location")).failure_location == location


def test_the_failure_location_is_found_at_the_top_level():
    assert parsed(failed(failureLocation="s3://bucket/error")).failure_location == (
        "s3://bucket/error"
    )


def test_a_test_notification_is_told_apart():
    assert isinstance(
        parse_notification(body(sample("test-notification"))), notification.TestNotification
    )


@pytest.mark.parametrize("status", ["Completed", "Failed", "Expired", "Lost"])
def test_known_statuses_are_read_without_regard_to_case(status):
    for spelling in (status, status.upper(), status.lower()):
        assert parsed(completed(invocationStatus=spelling)).status == status


@pytest.mark.parametrize("status", ["InProgress", "INPROGRESS"])
def test_an_event_of_what_has_not_ended_is_no_result(status):
    """It would be waited for until its record expires, with no deadline for the sweep."""
    said = "InvalidField: invocationStatus: expected the status of an inference that has ended"
    assert refusal(body(completed(invocationStatus=status))) == said


def test_an_endpoint_name_that_no_index_can_hold_is_refused():
    said = "InvalidField: requestParameters.endpointName: expected printable ASCII characters"
    name = "\N{GRINNING FACE}" * 256
    assert refusal(with_field(("requestParameters", "endpointName"), name)) == said


def test_an_unknown_status_is_kept_as_received():
    assert parsed(completed(invocationStatus="Preempted")).status == "Preempted"


def test_a_response_body_in_base64_is_decoded():
    result = parsed(sample("completed-with-response-body"))
    assert result.response_body == b'{"text": "good morning"}'


@pytest.mark.parametrize("encoding", ["base64", "Base64", "BASE64"])
def test_the_name_of_the_encoding_is_read_without_regard_to_case(encoding):
    content = base64.b64encode(b"\xff\x00").decode()
    result = parsed(completed(responseBody={"content": content, "encoding": encoding}))
    assert result.response_body == b"\xff\x00"


def test_a_response_body_without_an_encoding_is_plain_text():
    result = parsed(sample("failed-with-plain-response-body"))
    assert result.response_body == b"worker timed out after 60 s"


@pytest.mark.parametrize(
    "unusable",
    [
        {"message": "see S3"},
        {"content": None, "encoding": "BASE64"},
        {"content": ""},
        {"content": 7},
        {"content": "not base64!", "encoding": "BASE64"},
        {"content": "H4sI", "encoding": "GZIP"},
        {"content": "x", "encoding": 7},
        {"content": "lone \ud800 surrogate"},
        "text",
        [],
    ],
)
def test_a_response_body_that_cannot_be_used_is_as_if_there_were_none(unusable):
    assert parsed(completed(responseBody=unusable)).response_body is None


def test_an_event_without_an_endpoint_is_put_under_a_dash():
    event = completed()
    del event["requestParameters"]
    assert parsed(event).endpoint_name == "-"


def test_a_newer_event_version_with_new_fields_is_read():
    event = completed(eventVersion="1.1", variant={"name": "blue"}, cost=[1, 2])
    event["requestParameters"]["priority"] = "high"
    assert parsed(event).inference_id == "inference-1"


@pytest.mark.parametrize(
    ("given_time", "stored"),
    [
        ("2022-01-25T22:46:00.608Z", "2022-01-25T22:46:00.608Z"),
        ("2022-01-25T22:46:00Z", "2022-01-25T22:46:00.000Z"),
        ("2022-01-25T23:46:00.608123+01:00", "2022-01-25T22:46:00.608Z"),
        ("2022-01-25T22:46:00.608999999Z", "2022-01-25T22:46:00.608Z"),
    ],
)
def test_the_event_time_is_stored_in_utc_with_milliseconds(given_time, stored):
    assert parsed(completed(eventTime=given_time)).event_time == stored


ODD_ID = "#/ %?&+:;<=>@[]^`{|}~!\"$'()*,-.\\_ " + "Ab" * 15


def test_an_id_of_64_odd_characters_is_kept_exactly():
    assert len(ODD_ID) == 64
    assert parsed(completed(ODD_ID)).inference_id == ODD_ID


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "NotJson: body: expected JSON"),
        (" ", "NotJson: body: expected JSON"),
        ("not json", "NotJson: body: expected JSON"),
        ("{", "NotJson: body: expected JSON"),
        ("[" * 100_000, "NotJson: body: expected JSON"),
        ("x" * 1024 * 1024, "NotJson: body: expected JSON"),
        ('{"a": ' + "9" * 5000 + "}", "NotJson: body: expected JSON"),
        ("[]", "NotJson: body: expected a JSON object"),
        ("null", "NotJson: body: expected a JSON object"),
        ('"text"', "NotJson: body: expected a JSON object"),
        ("{}", "UnknownEvent: eventName: expected InferenceResult or TestNotification"),
        ('{"Type": "Notification", "Message": "x"}', "NotJson: Message: expected JSON"),
        ('{"Type": "Notification", "Message": 1}', "InvalidField: Message: expected a string"),
        ('{"Records": [{"eventSource": "aws:s3"}]}', "UnknownEvent: eventName: "),
    ],
)
def test_what_is_no_notification_is_refused_with_the_reason(text, said):
    assert refusal(text).startswith(said)


@pytest.mark.parametrize(
    "field", ["inferenceId", "invocationStatus", "eventTime"], ids=lambda field: field
)
@pytest.mark.parametrize("missing", [None, ""])
def test_a_missing_field_is_named(field, missing):
    event = completed()
    event[field] = missing
    assert refusal(body(event)) == f"MissingField: {field}: expected a value"


NEEDED = [
    ("inferenceId",),
    ("invocationStatus",),
    ("eventTime",),
    ("requestParameters", "endpointName"),
]
DISPENSABLE = [
    ("receivedTime",),
    ("failureReason",),
    ("failureLocation",),
    ("requestParameters", "inputLocation"),
    ("requestParameters", "contentType"),
    ("requestParameters", "customAttributes"),
    ("responseParameters", "outputLocation"),
    ("responseParameters", "contentType"),
    ("responseParameters", "failureLocation"),
]


def with_field(path: tuple[str, ...], value: Any) -> str:
    event = completed()
    parent = event
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return body(event)


WRONG_TYPES = [7, True, [], {}, ["text"], {"a": "b"}]


@pytest.mark.parametrize("wrong", [*WRONG_TYPES, "lone \ud800 surrogate"], ids=repr)
@pytest.mark.parametrize("path", DISPENSABLE, ids=".".join)
def test_a_field_that_a_record_can_do_without_is_ignored_if_odd_and_named(path, wrong):
    result = parse_notification(with_field(path, wrong))
    assert result.ignored_fields == (".".join(path),)
    assert result.inference_id == "inference-1"


def test_what_is_as_expected_is_not_named_as_ignored():
    assert parsed(completed()).ignored_fields == ()


@pytest.mark.parametrize("wrong", [7, "text", []], ids=repr)
def test_response_parameters_that_are_no_object_are_ignored_and_named(wrong):
    result = parse_notification(with_field(("responseParameters",), wrong))
    assert result.ignored_fields == ("responseParameters",)
    assert result.output_location is None


@pytest.mark.parametrize("wrong", WRONG_TYPES, ids=repr)
@pytest.mark.parametrize("path", NEEDED, ids=".".join)
def test_a_wrong_type_in_a_field_that_a_record_needs_is_refused_and_named(path, wrong):
    said = f"InvalidField: {'.'.join(path)}: expected a string"
    assert refusal(with_field(path, wrong)) == said


@pytest.mark.parametrize("path", NEEDED, ids=".".join)
def test_text_that_is_no_unicode_is_refused_and_the_field_named(path):
    said = f"InvalidField: {'.'.join(path)}: expected valid Unicode"
    assert refusal(with_field(path, "\ud800")) == said


@pytest.mark.parametrize("wrong", [7, "text", []], ids=repr)
def test_request_parameters_that_are_no_object_are_refused(wrong):
    said = "InvalidField: requestParameters: expected an object"
    assert refusal(with_field(("requestParameters",), wrong)) == said


@pytest.mark.parametrize("wrong", ["x" * 65, "tab\there", "caf\u00e9", "nul\0"], ids=repr)
def test_an_id_that_sagemaker_would_not_take_is_refused(wrong):
    said = "InvalidField: inferenceId: expected 1 to 64 printable ASCII characters"
    assert refusal(body(completed(wrong))) == said


@pytest.mark.parametrize(
    "wrong",
    ["yesterday", "2022-01-25", "2022-01-25T22:46:00", "0001-01-01T00:00:00+23:59", "1643150760"],
)
def test_an_event_time_that_is_none_is_refused(wrong):
    said = "InvalidField: eventTime: expected an ISO-8601 timestamp with an offset"
    assert refusal(body(completed(eventTime=wrong))) == said


def test_text_beyond_its_limit_is_refused_or_ignored():
    said = "InvalidField: requestParameters.endpointName: expected at most 256 characters"
    assert refusal(with_field(("requestParameters", "endpointName"), "x" * 257)) == said
    path = ("requestParameters", "customAttributes")
    assert parse_notification(with_field(path, "x" * 2049)).ignored_fields == (".".join(path),)


def test_the_digest_is_that_of_the_whole_event_whatever_the_order_of_its_fields():
    event = completed()
    backwards = dict(reversed(event.items()))
    assert parsed(event).digest == parsed(backwards).digest
    assert parsed(event).digest != parsed(event | {"new": 1}).digest


def test_a_refusal_never_quotes_what_was_found():
    event = completed(eventTime="secret-value")
    assert "secret" not in refusal(body(event))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_a_notification_or_refused(text):
    with suppress(Unprocessable):
        parse_notification(text)


@given(
    st.sampled_from([*NEEDED, *DISPENSABLE, ("responseBody",), ("requestParameters",)]),
    JSON,
)
def test_any_value_in_any_field_is_read_or_refused(path, value):
    with suppress(Unprocessable):
        assert isinstance(parse_notification(with_field(path, value)), ResultNotification)
