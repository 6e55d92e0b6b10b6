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
from tests.support.samples import EVENTS, body, completed, failed, sample


def parsed(event: dict[str, Any]) -> ResultNotification:
    result = parse_notification(body(event))
    assert isinstance(result, ResultNotification)
    return result


def error_message(text: str) -> str:
    with pytest.raises(Unprocessable) as raised:
        parse_notification(text)
    return str(raised.value)


@pytest.mark.parametrize("file", sorted(EVENTS.glob("*.json")), ids=lambda file: file.stem)
def test_every_sample_is_parsed(file):
    result = parse_notification(file.read_text())
    assert isinstance(result, (ResultNotification, notification.TestNotification))


def test_a_completed_notification_is_parsed():
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


def test_an_sns_envelope_is_unwrapped():
    assert parsed(sample("sns-envelope-in-sqs-body")) == parsed(sample("completed"))


def test_a_failure_without_response_parameters_is_parsed():
    result = parsed(sample("failed"))
    assert result.status == "Failed"
    assert result.failure_location is None


def test_the_failure_location_can_be_in_the_response_parameters():
    location = "s3://ocr-bucket/failure/5c5a6f0e-0b6e-4f7a-9a52-2f5c0f9f7d11-error.out"
    assert parsed(sample("failed-with-failure-location")).failure_location == location


def test_the_failure_location_can_be_at_the_top_level():
    assert parsed(failed(failureLocation="s3://bucket/error")).failure_location == (
        "s3://bucket/error"
    )


def test_a_test_notification_is_recognized():
    assert isinstance(
        parse_notification(body(sample("test-notification"))), notification.TestNotification
    )


@pytest.mark.parametrize("status", ["Completed", "Failed", "Expired", "Lost"])
def test_known_statuses_are_case_insensitive(status):
    for spelling in (status, status.upper(), status.lower()):
        assert parsed(completed(invocationStatus=spelling)).status == status


@pytest.mark.parametrize("status", ["InProgress", "INPROGRESS"])
def test_the_status_in_progress_is_unprocessable(status):
    """Clients would wait for it until its record expires: it has no deadline to reconcile."""
    expected = "InvalidField: invocationStatus: expected the status of an ended inference"
    assert error_message(body(completed(invocationStatus=status))) == expected


def test_an_endpoint_name_must_be_printable_ascii():
    expected = "InvalidField: requestParameters.endpointName: expected printable ASCII characters"
    name = "\N{GRINNING FACE}" * 256
    assert error_message(with_field(("requestParameters", "endpointName"), name)) == expected


def test_an_unknown_status_is_kept_as_received():
    assert parsed(completed(invocationStatus="Preempted")).status == "Preempted"


def test_a_response_body_in_base64_is_decoded():
    result = parsed(sample("completed-with-response-body"))
    assert result.response_body == b'{"text": "good morning"}'


@pytest.mark.parametrize("encoding", ["base64", "Base64", "BASE64"])
def test_the_encoding_is_case_insensitive(encoding):
    content = base64.b64encode(b"\xff\x00").decode()
    result = parsed(completed(responseBody={"content": content, "encoding": encoding}))
    assert result.response_body == b"\xff\x00"


def test_a_response_body_without_an_encoding_is_plain_text():
    result = parsed(sample("failed-with-plain-response-body"))
    assert result.response_body == b"worker timed out after 60 s"


@pytest.mark.parametrize(
    "invalid",
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
def test_an_invalid_response_body_counts_as_missing(invalid):
    assert parsed(completed(responseBody=invalid)).response_body is None


def test_a_missing_endpoint_name_becomes_a_dash():
    event = completed()
    del event["requestParameters"]
    assert parsed(event).endpoint_name == "-"


def test_a_newer_version_with_new_fields_is_parsed():
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


UNUSUAL_ID = "#/ %?&+:;<=>@[]^`{|}~!\"$'()*,-.\\_ " + "Ab" * 15


def test_an_id_with_any_printable_characters_is_kept_exactly():
    assert len(UNUSUAL_ID) == 64
    assert parsed(completed(UNUSUAL_ID)).inference_id == UNUSUAL_ID


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_a_malformed_message_is_unprocessable_with_a_reason(text, expected):
    assert error_message(text).startswith(expected)


@pytest.mark.parametrize(
    "field", ["inferenceId", "invocationStatus", "eventTime"], ids=lambda field: field
)
@pytest.mark.parametrize("missing", [None, ""])
def test_a_missing_required_field_is_named(field, missing):
    event = completed()
    event[field] = missing
    assert error_message(body(event)) == f"MissingField: {field}: expected a value"


REQUIRED = [
    ("inferenceId",),
    ("invocationStatus",),
    ("eventTime",),
    ("requestParameters", "endpointName"),
]
OPTIONAL = [
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
@pytest.mark.parametrize("path", OPTIONAL, ids=".".join)
def test_an_invalid_optional_field_is_ignored_and_listed(path, wrong):
    result = parse_notification(with_field(path, wrong))
    assert result.ignored_fields == (".".join(path),)
    assert result.inference_id == "inference-1"


def test_valid_fields_are_not_listed_as_ignored():
    assert parsed(completed()).ignored_fields == ()


@pytest.mark.parametrize("wrong", [7, "text", []], ids=repr)
def test_invalid_response_parameters_are_ignored_and_listed(wrong):
    result = parse_notification(with_field(("responseParameters",), wrong))
    assert result.ignored_fields == ("responseParameters",)
    assert result.output_location is None


@pytest.mark.parametrize("wrong", WRONG_TYPES, ids=repr)
@pytest.mark.parametrize("path", REQUIRED, ids=".".join)
def test_a_wrong_type_in_a_required_field_is_unprocessable(path, wrong):
    expected = f"InvalidField: {'.'.join(path)}: expected a string"
    assert error_message(with_field(path, wrong)) == expected


@pytest.mark.parametrize("path", REQUIRED, ids=".".join)
def test_invalid_unicode_in_a_required_field_is_unprocessable(path):
    expected = f"InvalidField: {'.'.join(path)}: expected valid Unicode"
    assert error_message(with_field(path, "\ud800")) == expected


@pytest.mark.parametrize("wrong", [7, "text", []], ids=repr)
def test_request_parameters_must_be_an_object(wrong):
    expected = "InvalidField: requestParameters: expected an object"
    assert error_message(with_field(("requestParameters",), wrong)) == expected


@pytest.mark.parametrize("wrong", ["x" * 65, "tab\there", "caf\u00e9", "nul\0"], ids=repr)
def test_an_id_that_sagemaker_does_not_accept_is_unprocessable(wrong):
    expected = "InvalidField: inferenceId: expected 1 to 64 printable ASCII characters"
    assert error_message(body(completed(wrong))) == expected


@pytest.mark.parametrize(
    "wrong",
    ["yesterday", "2022-01-25", "2022-01-25T22:46:00", "0001-01-01T00:00:00+23:59", "1643150760"],
)
def test_an_invalid_event_time_is_unprocessable(wrong):
    expected = "InvalidField: eventTime: expected an ISO 8601 timestamp with an offset"
    assert error_message(body(completed(eventTime=wrong))) == expected


def test_text_over_the_limit_is_unprocessable_or_ignored():
    expected = "InvalidField: requestParameters.endpointName: expected at most 256 characters"
    assert error_message(with_field(("requestParameters", "endpointName"), "x" * 257)) == expected
    path = ("requestParameters", "customAttributes")
    assert parse_notification(with_field(path, "x" * 2049)).ignored_fields == (".".join(path),)


def test_the_digest_covers_all_fields_in_any_order():
    event = completed()
    backwards = dict(reversed(event.items()))
    assert parsed(event).digest == parsed(backwards).digest
    assert parsed(event).digest != parsed(event | {"new": 1}).digest


def test_errors_never_quote_the_value():
    event = completed(eventTime="secret-value")
    assert "secret" not in error_message(body(event))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_parsed_or_unprocessable(text):
    with suppress(Unprocessable):
        parse_notification(text)


@given(
    st.sampled_from([*REQUIRED, *OPTIONAL, ("responseBody",), ("requestParameters",)]),
    JSON,
)
def test_any_value_in_any_field_is_parsed_or_unprocessable(path, value):
    with suppress(Unprocessable):
        assert isinstance(parse_notification(with_field(path, value)), ResultNotification)
