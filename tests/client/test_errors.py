"""Errors, as they pass between processes."""

import copy
import pickle

import pytest

from inference_results.client import Inference, errors
from inference_results.client.sagemaker_sdk import NothingArrived

FAILED = Inference(inference_id="one", endpoint_name="speech", status="Failed")


def leaves(kind):
    return [each for child in kind.__subclasses__() for each in (child, *leaves(child))]


RAISED = [
    errors.NotFound("one"),
    errors.RecordExpired("one", "2026-01-25"),
    errors.AmbiguousInference("one", ["a", "b"]),
    errors.InvalidRequest("expected less", "ids"),
    errors.IdempotencyKeyReused("key-1"),
    errors.InvocationRejected("ValidationError", "no such endpoint"),
    errors.NotAuthorized("no", 401),
    errors.ServiceUnavailable("no", 503, 7.0),
    errors.UnexpectedResponse("what?", 418),
    errors.WaitTimeout(60, pending=["two"], done={"one": FAILED}),
    NothingArrived(60, pending=["s3://bucket/key"]),
    errors.InferenceFailed(FAILED),
    errors.InferenceExpired(FAILED),
    errors.InferenceLost(FAILED),
    errors.OutputUnavailable("one", "AccessDenied", "no"),
    errors.NoOutput("one", "InProgress"),
    errors.OutputRemoved("one"),
    errors.OutputTooLarge("one", 4, 5),
    errors.OutputMalformed("one", "application/json", b"{"),
]


def test_all_errors_are_here():
    assert {type(each) for each in RAISED} == set(leaves(errors.ClientError))


def pickled(error):
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - it is our own


@pytest.mark.parametrize("error", RAISED, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("passed", [pickled, copy.copy])
def test_an_error_passes_whole(error, passed):
    got = passed(error)
    assert type(got) is type(error)
    assert str(got) == str(error)
    assert vars(got) == vars(error)
