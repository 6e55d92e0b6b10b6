"""Parse requests to submit an inference."""

from dataclasses import replace

import pytest

from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.submissions.submission import Stage
from inference_results.domain.submissions.submission_request import (
    ParseSubmission,
    inference_id_for,
)

INPUTS = "s3://customer-inputs/async/"
LOCATION = f"{INPUTS}one.json"
PARSE = ParseSubmission(
    endpoint_names=frozenset({"speech"}),
    input_prefix=INPUTS,
    max_body_bytes=5,
    completes_tasks=False,
)


def parse(content=b"hello", parse_submission=PARSE, **parameters):
    return parse_submission({"endpoint": "speech", "idempotency_key": "one", **parameters}, content)


def test_a_small_input_is_the_body():
    request = parse()
    assert (request.body, request.upload) == (b"hello", None)
    assert request.details.input_location is None
    assert request.first_stage is Stage.INVOKING
    assert request.details.inference_id == inference_id_for("speech", "one")


@pytest.mark.parametrize("content", [b"hello!", b""])
def test_other_inputs_are_uploaded_to_a_location_of_their_own(content):
    request = parse(content)
    assert (request.body, request.upload) == (None, content)
    name = f"{request.details.inference_id}/{request.digest}"
    assert request.details.input_location == f"{INPUTS}{name}"
    assert request.first_stage is Stage.PREPARING


def test_an_input_in_s3_is_not_uploaded():
    request = parse(None, input_location=LOCATION)
    assert (request.body, request.upload) == (None, None)
    assert request.details.input_location == LOCATION
    assert request.first_stage is Stage.INVOKING


@pytest.mark.parametrize(
    ("content", "parameters"),
    [
        (b"other", {}),
        (b"hello", {"content_type": "text/plain"}),
        (b"hello", {"accept": "text/plain"}),
        (None, {"input_location": LOCATION}),
    ],
)
def test_the_digest_depends_on_what_the_model_receives(content, parameters):
    assert parse(content, **parameters).digest != parse().digest


@pytest.mark.parametrize(
    "parameters",
    [
        {"custom_attributes": "tenant=acme"},
        {"metadata": {"page": "17"}},
        {"request_ttl_seconds": 60},
        {"idempotency_key": "two"},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_the_digest_depends_on_nothing_else(parameters):
    assert parse(**parameters).digest == parse().digest


@pytest.mark.parametrize(
    ("content", "parameters", "parameter"),
    [
        (None, {"endpoint": "other", "task_token": "token"}, "endpoint"),
        (None, {"task_token": "token"}, "task_token"),
        (None, {}, "input"),
        (b"hello", {"input_location": LOCATION}, "input"),
    ],
)
def test_the_first_invalid_parameter_is_reported(content, parameters, parameter):
    with pytest.raises(InvalidParameter) as raised:
        parse(content, **parameters)
    assert raised.value.parameter == parameter


def test_a_large_input_is_invalid_without_an_input_prefix():
    with pytest.raises(InvalidParameter) as raised:
        parse(b"hello!", replace(PARSE, input_prefix=None))
    assert raised.value.expected == "1 to 5 bytes: pass other inputs by input_location"


def test_the_representation_shows_no_secrets():
    parse_submission = replace(PARSE, completes_tasks=True)
    secrets = {
        "task_token": "secret-1",
        "custom_attributes": "secret-2",
        "metadata": {"name": "secret-3"},
    }
    for content in (b"secr4", b"secret-5"):
        assert "secr" not in repr(parse(content, parse_submission, **secrets))
