import pytest

from inference_results.client import Inference
from local.demo import Sent, differences

SENT = Sent(
    inference_id="one",
    endpoint_name="speech",
    body=b"hello",
    custom_attributes="",
    status="Completed",
)
RECORD = {
    "inference_id": "one",
    "endpoint_name": "speech",
    "status": "Completed",
    "input_location": "s3://async-inference-results-local/async-input/one",
}


class FakeClient:
    """A client that returns the same output for every inference."""

    def __init__(self, output=b"hello"):
        self._output = output

    def output(self, inference_id):
        return self._output


def find_differences(output=b"hello", **change):
    record = Inference.from_document(RECORD | change)
    return differences(SENT, {"one": record}, FakeClient(output))


def test_a_matching_record_has_no_differences():
    assert find_differences() == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"status": "Failed"}, ["status"]),
        ({"endpoint_name": "vision"}, ["endpoint_name"]),
        ({"output_error": {"code": "NoSuchKey", "message": ""}}, ["output_error"]),
        ({"failure": {"code": "UNKNOWN", "retryable": False}}, ["failure.code"]),
        ({"custom_attributes": "x"}, ["custom_attributes"]),
    ],
)
def test_the_demo_reports_a_record_that_differs(change, found):
    assert find_differences(**change) == found


def test_the_demo_reports_an_output_that_differs():
    assert find_differences(b"other") == ["output"]


def test_the_demo_reports_a_missing_record():
    assert differences(SENT, {}, FakeClient()) == ["no record"]
