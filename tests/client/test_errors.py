"""Errors can be pickled and copied."""

import copy
import pickle

import pytest

from inference_results.client import Inference, errors
from inference_results.client.sagemaker_sdk import S3WaitTimeout

FAILED = Inference(inference_id="one", endpoint_name="speech", status="Failed")


def all_subclasses(kind):
    return [each for child in kind.__subclasses__() for each in (child, *all_subclasses(child))]


ERRORS = [
    errors.NotFound("one"),
    errors.RecordExpired("one", "2026-01-25"),
    errors.AmbiguousInference("one", ["a", "b"]),
    errors.InvalidRequest("expected less", "ids"),
    errors.IdempotencyKeyReused("key-1"),
    errors.InvocationRejected("ValidationError", "no such endpoint"),
    errors.NotAuthorized("no", 401),
    errors.ServiceUnavailable("no", 503, 7.0),
    errors.UnexpectedResponse("teapot", 418),
    errors.WaitTimeout(60, pending=["two"], done={"one": FAILED}),
    S3WaitTimeout(60, pending=["s3://bucket/key"]),
    errors.InferenceFailed(FAILED),
    errors.InferenceExpired(FAILED),
    errors.InferenceLost(FAILED),
    errors.OutputUnavailable("one", "AccessDenied", "no"),
    errors.NoOutput("one", "InProgress"),
    errors.OutputRemoved("one"),
    errors.OutputTooLarge("one", 4, 5),
    errors.OutputMalformed("one", "application/json", b"{"),
]


def test_every_client_error_is_tested():
    assert {type(each) for each in ERRORS} == set(all_subclasses(errors.ClientError))


def pickle_and_load(error):
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled by this test


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("duplicate", [pickle_and_load, copy.copy])
def test_pickling_and_copying_keep_type_message_and_attributes(error, duplicate):
    duplicated = duplicate(error)
    assert type(duplicated) is type(error)
    assert str(duplicated) == str(error)
    assert vars(duplicated) == vars(error)
