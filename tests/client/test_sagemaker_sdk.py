"""Responses of the SageMaker SDK, as far as S3 can be pretended; tests/deploy has the real SDK."""

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
    """What AsyncInferenceResponse asks of the predictor inside its AsyncPredictor."""

    def _handle_response(self, response):
        return json.loads(response["Body"].read()), response.get("ContentType")


@dataclass
class Service:
    """The methods of Client that are used, for one inference that has ended."""

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
    pauses: list[float] = field(default_factory=list)

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


def response(s3=None):
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


class Refusing:
    """An S3 client that first answers some GetObjects with errors; HTTP status and code each."""

    def __init__(self, s3, *errors):
        self._s3 = s3
        self._errors = list(errors)

    def get_object(self, **request):
        if not self._errors:
            return self._s3.get_object(**request)
        status, code = self._errors.pop(0)
        answer = {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        raise self._s3.exceptions.ClientError(answer, "GetObject")


def with_s3(promised, s3):
    fields = ("endpoint_name", "output_path", "failure_path", "clock", "sleep")
    return PromisedObjects(s3=s3, **{name: getattr(promised, name) for name in fields})


def test_with_an_id_the_service_is_asked_and_the_predictor_reads_the_output():
    service = Service(
        ended("Completed", output=Output(content_type="application/json")), body=b'{"a": 1}'
    )
    ours = PredictorResponse(service=service, response=response(), inference_id="one")
    assert ours.get_result(30) == ({"a": 1}, "application/json")
    assert service.calls == [("wait", "one", 30, None), ("output", "one", "speech", None)]


def test_an_id_on_several_endpoints_is_told_apart():
    service = Service(ended("Completed"), body=b"1")
    ours = PredictorResponse(
        service=service, response=response(), inference_id="one", endpoint="speech"
    )
    ours.get_result(30)
    assert service.calls[0] == ("wait", "one", 30, "speech")


def test_an_unknown_content_type_is_left_to_the_predictor():
    service = Service(ended("Completed", output=Output()), body=b"1")
    ours = PredictorResponse(service=service, response=response(), inference_id="one")
    assert ours.get_result(30) == (1, None)


@pytest.mark.parametrize(
    ("status", "error"),
    [("Failed", InferenceFailed), ("Expired", InferenceExpired), ("Lost", InferenceLost)],
)
def test_with_an_id_an_end_without_an_output_is_an_end(status, error):
    service = Service(ended(status))
    ours = PredictorResponse(service=service, response=response(), inference_id="one")
    with pytest.raises(error):
        ours.get_result(30)


def test_without_an_id_the_output_is_read_from_s3_by_the_predictor(s3):
    put(OUTPUT, b'{"a": 1}', ContentType="application/json")
    service = Service(ended("Completed"))
    ours = PredictorResponse(service=service, response=response(s3))
    assert ours.get_result(0) == ({"a": 1}, "application/json")
    assert service.calls == []


def test_an_empty_output_is_an_output(promised):
    put(OUTPUT, b"")
    assert promised.await_output(0)["Body"].read() == b""


def test_a_failure_object_ends_the_wait_with_its_beginning(promised):
    put(FAILURE, "é".encode() * 3000)
    with pytest.raises(InferenceFailed) as raised:
        promised.await_output(60)
    assert raised.value.reason.startswith("ééé")
    assert (raised.value.code, raised.value.inference.endpoint_name) == ("UNKNOWN", "speech")
    assert OUTPUT in str(raised.value)


def test_where_both_objects_are_the_output_counts(promised):
    put(FAILURE, b"no")
    put(OUTPUT, b"yes")
    assert promised.await_output(0)["Body"].read() == b"yes"


def test_an_output_that_comes_late_is_found(promised, time):
    def sleep(seconds):
        time.sleep(seconds)
        if time.now > 1020:
            put(OUTPUT, b"late")

    found = PromisedObjects(
        s3=promised.s3,
        endpoint_name="speech",
        output_path=OUTPUT,
        failure_path=None,
        clock=time.clock,
        sleep=sleep,
    ).await_output(60)
    assert found["Body"].read() == b"late"


def test_neither_object_ends_the_wait_in_time(promised, time):
    with pytest.raises(WaitTimeout, match="neither an output nor a failure within 60 s") as raised:
        promised.await_output(60)
    assert time.now == 1060
    assert raised.value.pending == [OUTPUT]
    assert isinstance(raised.value.__cause__, ObjectDenied)


def test_looks_become_rarer_and_are_spread(promised, time):
    with pytest.raises(WaitTimeout):
        promised.await_output(3600)
    first, *_, before_last, _ = time.pauses
    assert 0.25 <= first <= 0.5
    assert 7.5 <= before_last <= 15
    assert len(set(time.pauses)) == len(time.pauses)


@pytest.mark.parametrize(
    "refusal", [(403, "AccessDenied"), (503, "SlowDown"), (500, "InternalError")]
)
def test_an_answer_that_may_pass_is_waited_through(promised, s3, refusal):
    put(OUTPUT, b"yes")
    found = with_s3(promised, Refusing(s3, refusal, refusal)).await_output(60)
    assert found["Body"].read() == b"yes"


@pytest.mark.parametrize("refusal", [(404, "NoSuchBucket"), (400, "ExpiredToken")])
def test_an_answer_that_stays_ends_the_wait_at_once(promised, s3, time, refusal):
    with pytest.raises(OutputUnavailable) as raised:
        with_s3(promised, Refusing(s3, refusal)).await_output(60)
    assert raised.value.code == refusal[1]
    assert time.pauses == []


def test_an_unreadable_failure_does_not_hide_the_output_that_comes(promised, s3):
    put(OUTPUT, b"yes")
    refusing = Refusing(s3, (404, "NoSuchKey"), (404, "NoSuchBucket"))
    assert with_s3(promised, refusing).await_output(60)["Body"].read() == b"yes"
