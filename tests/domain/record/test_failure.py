import pytest

from inference_results.domain.record.failure import MAX_REASON_CHARACTERS, classify

REASON = "ClientError: Received {} error ({}) from model. See the SageMaker Endpoint logs."


@pytest.mark.parametrize(
    ("status", "reason", "code", "model_status", "retryable"),
    [
        ("Failed", REASON.format("client", 400), "MODEL_ERROR_4XX", 400, False),
        ("Failed", REASON.format("client", 429), "MODEL_ERROR_4XX", 429, True),
        ("Failed", REASON.format("server", 500), "MODEL_ERROR_5XX", 500, True),
        ("Failed", REASON.format("server", 503), "MODEL_ERROR_5XX", 503, True),
        ("Failed", REASON.format("server", 0), "MODEL_TIMEOUT", None, True),
        ("Failed", REASON.format("client", 0), "UNKNOWN", 0, False),
        ("Failed", REASON.format("server", 302), "UNKNOWN", 302, False),
        ("Failed", "ClientError: Unable to read the input", "UNKNOWN", None, False),
        ("Failed", None, "UNKNOWN", None, False),
        ("Expired", None, "EXPIRED", None, True),
        ("Preempted", "capacity", "UNKNOWN", None, False),
    ],
)
def test_a_failure_is_classified(status, reason, code, model_status, retryable):
    failure = classify(status, reason)
    assert (failure.code, failure.model_status, failure.retryable) == (
        code,
        model_status,
        retryable,
    )
    assert failure.reason == reason


def test_a_long_reason_is_truncated_and_marked():
    failure = classify("Failed", "<html>" * 40_000)
    assert len(failure.reason) == MAX_REASON_CHARACTERS
    assert failure.reason_truncated is True


def test_a_reason_within_the_limit_is_not_marked_as_truncated():
    assert classify("Failed", "x" * MAX_REASON_CHARACTERS).reason_truncated is None
