from datetime import UTC, datetime

import pytest

from inference_results.client import (
    Failure,
    Inference,
    InferenceExpired,
    InferenceFailed,
    InferenceLost,
    OutputError,
)

RECORD = {
    "inference_id": "one",
    "endpoint_name": "speech",
    "status": "Completed",
    "received_at": "2025-08-03T12:40:58.414Z",
    "event_time": "2025-08-03T12:41:00.586Z",
    "custom_attributes": "secret",
    "output": {
        "location": "s3://bucket/one.out",
        "size": 4,
        "content_type": "text/plain",
        "inline": {"encoding": "utf-8", "content": "payload"},
        "newer": 1,
    },
    "output_error": {"code": "NoSuchKey", "message": "not there", "newer": 1},
    "ignored_fields": ["requestParameters.contentType"],
    "newer": {"field": 1},
}


def test_from_document_parses_a_record_and_ignores_unknown_fields():
    inference = Inference.from_document(RECORD)
    assert inference.event_time == datetime(2025, 8, 3, 12, 41, 0, 586000, UTC)
    assert inference.output
    assert inference.output.inline == b"payload"
    assert inference.output_error == OutputError("NoSuchKey", "not there")
    assert inference.ignored_fields == ("requestParameters.contentType",)
    assert inference.raw is RECORD


def test_repr_hides_the_payload_and_custom_attributes():
    text = repr(Inference.from_document(RECORD))
    assert "payload" not in text
    assert "secret" not in text


def test_equal_records_have_equal_hashes_despite_unhashable_metadata():
    record = RECORD | {"caller_metadata": {"job": [1]}}
    first, second = (Inference.from_document(record | {"newer": each}) for each in (1, 2))
    assert {first, second} == {first}


@pytest.mark.parametrize(
    ("inline", "content"),
    [
        ({"encoding": "base64", "content": "/wA="}, b"\xff\x00"),
        ({"encoding": "utf-8", "content": ""}, b""),
    ],
)
def test_an_inline_output_is_decoded_to_bytes(inline, content):
    record = RECORD | {"output": {"inline": inline}}
    output = Inference.from_document(record).output
    assert output
    assert output.inline == content


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("Failed", InferenceFailed),
        ("Expired", InferenceExpired),
        ("Lost", InferenceLost),
    ],
)
def test_raise_for_status_raises_the_error_for_the_status(status, error):
    failure = {"code": "MODEL_TIMEOUT", "retryable": True, "reason": "took long", "newer": 1}
    inference = Inference.from_document(RECORD | {"status": status, "failure": failure})
    assert inference.failure == Failure(code="MODEL_TIMEOUT", retryable=True, reason="took long")
    with pytest.raises(InferenceFailed) as failed:
        inference.raise_for_status()
    assert type(failed.value) is error
    assert failed.value.inference is inference
    assert (failed.value.code, failed.value.reason) == ("MODEL_TIMEOUT", "took long")
    assert failed.value.retryable


@pytest.mark.parametrize("status", ["Completed", "InProgress", "Preempted"])
def test_other_statuses_raise_nothing_and_an_unknown_one_is_terminal(status):
    inference = Inference.from_document(RECORD | {"status": status})
    assert inference.raise_for_status() is inference
    assert inference.is_terminal == (status != "InProgress")
