"""Responses of the SageMaker SDK, with a fake predictor. tests/deploy uses the real SDK."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import boto3
import pytest

from inference_results.client.errors import (
    InferenceExpired,
    InferenceFailed,
    InferenceLost,
    OutputUnavailable,
    WaitTimeout,
)
from inference_results.client.records import Inference, Output
from inference_results.client.sagemaker_sdk import PredictorResponse, PromisedObjects
from inference_results.domain.record.errors import ObjectDenied

BUCKET = "speech-bucket"
OUTPUT = f"s3://{BUCKET}/output/a#b?c%20d.out"
FAILURE = f"s3://{BUCKET}/failures/a-error.out"


class Predictor:
    """The predictor inside an AsyncPredictor."""

    def _handle_response(self, response):
        return json.loads(response["Body"].read()), response.get("ContentType")


@dataclass
class FakeClient:
    """The methods of Client that are used, for one ended inference."""

    inference: Inference
    body: bytes = b""
    calls: list[tuple] = field(default_factory=list)

    def wait(self, inference_id, timeout, *, endpoint=None):
        self.calls.append(("wait", inference_id, timeout, endpoint))
        return self.inference

    def output(self, inference_id, *, endpoint=None, max_bytes=0):
        self.calls.append(("output", inference_id, endpoint, max_bytes))
        return self.body


@dataclass
class Time:
    now: float = 1000
    sleeps: list[float] = field(default_factory=list)

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds


def sdk_response(s3=None):
    predictor = SimpleNamespace(predictor=Predictor(), s3_client=s3, endpoint_name="speech")
    return SimpleNamespace(predictor_async=predictor, output_path=OUTPUT, failure_path=FAILURE)


def ended(status, **fields):
    return Inference(inference_id="one", endpoint_name="speech", status=status, **fields)


def put(location, body, **options):
    bucket, _, key = location.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **options)


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def promised(s3, time):
    return PromisedObjects(
        s3=s3,
        endpoint_name="speech",
        output_path=OUTPUT,
        failure_path=FAILURE,
        clock=time.clock,
        sleep=time.sleep,
    )


class FailingS3:
    """An S3 client whose first GetObject calls fail, each with an HTTP status and an error code."""

    def __init__(self, s3, *errors):
        self._s3 = s3
        self._errors = list(errors)

    def get_object(self, **request):
        if not self._errors:
            return self._s3.get_object(**request)
        status, code = self._errors.pop(0)
        response = {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        raise self._s3.exceptions.ClientError(response, "GetObject")


def with_s3(promised, s3):
    fields = ("endpoint_name", "output_path", "failure_path", "clock", "sleep")
    return PromisedObjects(s3=s3, **{name: getattr(promised, name) for name in fields})


def test_with_an_id_the_client_waits_and_the_predictor_deserializes():
    client = FakeClient(
        ended("Completed", output=Output(content_type="application/json")), body=b'{"a": 1}'
    )
    response = PredictorResponse(client=client, response=sdk_response(), inference_id="one")
    assert response.get_result(30) == ({"a": 1}, "application/json")
    assert client.calls == [("wait", "one", 30, None), ("output", "one", "speech", None)]


def test_the_endpoint_is_passed_to_the_client():
    client = FakeClient(ended("Completed"), body=b"1")
    response = PredictorResponse(
        client=client, response=sdk_response(), inference_id="one", endpoint="speech"
    )
    response.get_result(30)
    assert client.calls[0] == ("wait", "one", 30, "speech")


def test_without_a_content_type_the_predictor_gets_none():
    client = FakeClient(ended("Completed", output=Output()), body=b"1")
    response = PredictorResponse(client=client, response=sdk_response(), inference_id="one")
    assert response.get_result(30) == (1, None)


@pytest.mark.parametrize(
    ("status", "error"),
    [("Failed", InferenceFailed), ("Expired", InferenceExpired), ("Lost", InferenceLost)],
)
def test_with_an_id_an_end_without_an_output_raises(status, error):
    client = FakeClient(ended(status))
    response = PredictorResponse(client=client, response=sdk_response(), inference_id="one")
    with pytest.raises(error):
        response.get_result(30)


def test_without_an_id_the_predictor_reads_the_output_from_s3(s3):
    put(OUTPUT, b'{"a": 1}', ContentType="application/json")
    client = FakeClient(ended("Completed"))
    response = PredictorResponse(client=client, response=sdk_response(s3))
    assert response.get_result(0) == ({"a": 1}, "application/json")
    assert client.calls == []


def test_an_empty_output_is_returned(promised):
    put(OUTPUT, b"")
    assert promised.wait_for_output(0)["Body"].read() == b""


def test_a_failure_object_raises_with_its_beginning_as_the_reason(promised):
    put(FAILURE, "é".encode() * 3000)
    with pytest.raises(InferenceFailed) as raised:
        promised.wait_for_output(60)
    assert raised.value.reason.startswith("ééé")
    assert (raised.value.code, raised.value.inference.endpoint_name) == ("UNKNOWN", "speech")
    assert OUTPUT in str(raised.value)


def test_an_output_wins_over_a_failure_object(promised):
    put(FAILURE, b"no")
    put(OUTPUT, b"yes")
    assert promised.wait_for_output(0)["Body"].read() == b"yes"


def test_an_output_that_appears_later_is_returned(promised, time):
    def sleep(seconds):
        time.sleep(seconds)
        if time.now > 1020:
            put(OUTPUT, b"late")

    response = PromisedObjects(
        s3=promised.s3,
        endpoint_name="speech",
        output_path=OUTPUT,
        failure_path=None,
        clock=time.clock,
        sleep=sleep,
    ).wait_for_output(60)
    assert response["Body"].read() == b"late"


def test_a_wait_without_objects_times_out(promised, time):
    with pytest.raises(WaitTimeout, match="neither an output nor a failure within 60 s") as raised:
        promised.wait_for_output(60)
    assert time.now == 1060
    assert raised.value.pending == [OUTPUT]
    assert isinstance(raised.value.__cause__, ObjectDenied)


def test_delays_grow_and_have_jitter(promised, time):
    with pytest.raises(WaitTimeout):
        promised.wait_for_output(3600)
    first, *_, before_last, _ = time.sleeps
    assert 0.25 <= first <= 0.5
    assert 7.5 <= before_last <= 15
    assert len(set(time.sleeps)) == len(time.sleeps)


@pytest.mark.parametrize(
    "error", [(403, "AccessDenied"), (503, "SlowDown"), (500, "InternalError")]
)
def test_a_transient_error_does_not_end_the_wait(promised, s3, error):
    put(OUTPUT, b"yes")
    response = with_s3(promised, FailingS3(s3, error, error)).wait_for_output(60)
    assert response["Body"].read() == b"yes"


@pytest.mark.parametrize("error", [(404, "NoSuchBucket"), (400, "ExpiredToken")])
def test_a_permanent_error_ends_the_wait_at_once(promised, s3, time, error):
    with pytest.raises(OutputUnavailable) as raised:
        with_s3(promised, FailingS3(s3, error)).wait_for_output(60)
    assert raised.value.code == error[1]
    assert time.sleeps == []


def test_an_unreadable_failure_object_does_not_hide_a_later_output(promised, s3):
    put(OUTPUT, b"yes")
    failing = FailingS3(s3, (404, "NoSuchKey"), (404, "NoSuchBucket"))
    assert with_s3(promised, failing).wait_for_output(60)["Body"].read() == b"yes"
