"""Operations that ask, and try again while that may help."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final, TypeVar

from inference_results.client.errors import InvalidRequest, ServiceUnavailable, UnexpectedAnswer
from inference_results.client.inference import Batch, DaySummary, Inference
from inference_results.client.pace import LONGEST_PAUSE_SECONDS, Pace
from inference_results.client.questions import (
    MAX_IDS,
    EndpointSummary,
    ManyRecords,
    OneRecord,
    Question,
    RecordPage,
)
from inference_results.client.steps import Ask, Found, Operation, Pause, Search
from inference_results.domain.errors import InferenceResultsError

RETRIES: Final = 4

_T = TypeVar("_T")


def answers(questions: Sequence[Question], pace: Pace) -> Operation[list[Any]]:
    """The answers in the order of the questions.

    Raises the first error that no retry can help, and ServiceUnavailable after the last retry, or
    at once if the service wants to be left alone for longer than a caller would wait.
    """
    answered: dict[Question, Any] = {}
    failures = 0
    while True:
        unanswered = tuple(each for each in questions if each not in answered)
        replies = yield Ask(unanswered)
        for question, reply in zip(unanswered, replies, strict=True):
            if not isinstance(reply, InferenceResultsError):
                answered[question] = reply
            elif not isinstance(reply, ServiceUnavailable):
                raise reply
        troubles = [each for each in replies if isinstance(each, ServiceUnavailable)]
        if not troubles:
            return [answered[each] for each in questions]
        failures += 1
        worst = max(troubles, key=lambda trouble: trouble.retry_after or 0)
        if failures > RETRIES or (worst.retry_after or 0) > LONGEST_PAUSE_SECONDS:
            raise worst
        yield Pause(pace.pause_after(worst, failures))


def get(inference_id: str, endpoint: str | None, pace: Pace) -> Operation[Inference]:
    (document,) = yield from answers([OneRecord(inference_id, endpoint)], pace)
    return understood(Inference.from_document, document)


def batch_get(ids: Iterable[str], endpoint: str | None, pace: Pace) -> Operation[Batch]:
    """Each id is asked for once, however often it is given."""
    hundreds = in_hundreds(dict.fromkeys(listed(ids)))
    questions = [ManyRecords(each, endpoint) for each in hundreds]
    documents = (yield from answers(questions, pace)) if questions else []
    batches = [understood(Batch.from_document, each) for each in documents]
    return Batch(
        [each for batch in batches for each in batch.inferences],
        [each for batch in batches for each in batch.missing],
    )


def list_records(question: RecordPage, pace: Pace) -> Search[Inference]:
    """All of them, page by page, each page when it is wanted."""
    while True:
        (page,) = yield from answers([question], pace)
        for each in understood(_inferences, page):
            yield Found(each)
        if not page.get("next_cursor"):
            return
        question = replace(question, cursor=page["next_cursor"])


def summary(question: EndpointSummary, pace: Pace) -> Operation[list[DaySummary]]:
    (document,) = yield from answers([question], pace)
    return understood(_days, document)


def understood(read: Callable[[Any], _T], document: Any) -> _T:
    """Raises UnexpectedAnswer if the document is not in the shape that `read` expects."""
    try:
        return read(document)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnexpectedAnswer("the answer has not the shape of this API's answers") from error


def listed(ids: Iterable[str]) -> list[str]:
    """The ids; a single text is refused, which Python would take for its letters."""
    if isinstance(ids, str):
        raise InvalidRequest("expected several ids, got one text", "ids")
    return list(ids)


def in_hundreds(ids: Iterable[str]) -> list[tuple[str, ...]]:
    everything = tuple(ids)
    return [everything[at : at + MAX_IDS] for at in range(0, len(everything), MAX_IDS)]


def moment(value: datetime | str | None, parameter: str) -> str | None:
    """As the API takes it. Raises InvalidRequest for a datetime without an offset."""
    if not isinstance(value, datetime):
        return value
    if value.utcoffset() is None:
        raise InvalidRequest("expected a datetime with an offset (tzinfo)", parameter)
    return value.isoformat()


def day(value: date | str | None) -> str | None:
    """`YYYY-MM-DD`."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _inferences(page: dict[str, Any]) -> list[Inference]:
    return [Inference.from_document(each) for each in page["inferences"]]


def _days(document: dict[str, Any]) -> list[DaySummary]:
    return [DaySummary.from_document(each) for each in document["days"]]
