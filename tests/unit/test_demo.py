import pytest

from local.demo import Sent, differences

SENT = Sent(
    inference_id="one",
    endpoint_name="speech",
    body=b"hello",
    wishes="",
    status="Completed",
)
RECORD = {
    "endpoint_name": "speech",
    "status": "Completed",
    "input_location": "s3://async-inference-results-local/async-input/one",
    "output": {"inline": {"encoding": "utf-8", "content": "hello"}},
}


def test_a_record_as_sent_has_no_differences():
    assert differences(SENT, {"one": RECORD}) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"status": "Failed"}, ["status"]),
        ({"endpoint_name": "vision"}, ["endpoint_name"]),
        ({"output": {"inline": {"content": "other"}}}, ["output"]),
        ({"output_error": {"code": "NoSuchKey"}}, ["output_error"]),
        ({"failure": {"code": "UNKNOWN"}}, ["failure.code"]),
        ({"custom_attributes": "x"}, ["custom_attributes"]),
    ],
)
def test_the_demo_notices_a_record_that_differs(change, found):
    assert differences(SENT, {"one": RECORD | change}) == found


def test_the_demo_notices_a_missing_record():
    assert differences(SENT, {}) == ["no record"]
