import pytest

from inference_results.domain.reconciliation.retry import ATTEMPTS, RetryUnavailable
from inference_results.domain.record.errors import ObjectDenied, Unavailable


class Failing:
    """Raises each of the errors, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)

    def __call__(self):
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


THROTTLED = Unavailable("dynamodb", "ThrottlingException")


def test_what_is_unavailable_is_asked_again_after_pauses_that_grow():
    pauses = []
    assert RetryUnavailable(sleep=pauses.append)(Failing(*[THROTTLED] * (ATTEMPTS - 1))) == "answer"
    longest = [0.5, 1, 2, 4, 8, 16, 20]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))


def test_what_stays_unavailable_is_raised_in_the_end():
    pauses = []
    ask = Failing(*[THROTTLED] * (ATTEMPTS + 1))
    with pytest.raises(Unavailable):
        RetryUnavailable(sleep=pauses.append)(ask)
    assert (len(pauses), len(ask.errors)) == (ATTEMPTS - 1, 1)


def test_another_error_is_raised_at_once():
    pauses = []
    with pytest.raises(ObjectDenied):
        RetryUnavailable(sleep=pauses.append)(Failing(ObjectDenied("AccessDenied", "no")))
    assert pauses == []
