import pytest

from inference_results.domain.reconciliation.retry import MAX_ATTEMPTS, RetryUnavailable
from inference_results.domain.record.errors import ObjectDenied, Unavailable


class Failing:
    """Raises each of the errors, then returns."""

    def __init__(self, *errors):
        self.errors = list(errors)

    def __call__(self):
        if self.errors:
            raise self.errors.pop(0)
        return "value"


THROTTLED = Unavailable("dynamodb", "ThrottlingException")


def test_unavailable_calls_are_retried_with_growing_delays():
    delays = []
    assert (
        RetryUnavailable(sleep=delays.append)(Failing(*[THROTTLED] * (MAX_ATTEMPTS - 1))) == "value"
    )
    longest = [0.5, 1, 2, 4, 8, 16, 20]
    assert all(most / 2 <= delay <= most for delay, most in zip(delays, longest, strict=True))


def test_a_call_that_stays_unavailable_raises():
    delays = []
    call = Failing(*[THROTTLED] * (MAX_ATTEMPTS + 1))
    with pytest.raises(Unavailable):
        RetryUnavailable(sleep=delays.append)(call)
    assert (len(delays), len(call.errors)) == (MAX_ATTEMPTS - 1, 1)


def test_other_errors_are_not_retried():
    delays = []
    with pytest.raises(ObjectDenied):
        RetryUnavailable(sleep=delays.append)(Failing(ObjectDenied("AccessDenied", "no")))
    assert delays == []
