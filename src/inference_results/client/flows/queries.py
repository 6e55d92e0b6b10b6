"""Operations that ask, and try again while that may help."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final, TypeVar

from inference_results.client.errors import InvalidRequest, ServiceUnavailable, UnexpectedResponse
from inference_results.client.flows.backoff import LONGEST_PAUSE_SECONDS, Backoff
from inference_results.client.flows.requests import (
    MAX_IDS,
    GetRecord,
    GetRecords,
    GetSummary,
    ListRecords,
    ServiceRequest,
)
from inference_results.client.flows.steps import Item, Operation, Search, Send, Sleep
from inference_results.client.records import Batch, DaySummary, Inference
from inference_results.domain.record.errors import InferenceResultsError

RETRIES: Final = 4

_T = TypeVar("_T")


def send(questions: Sequence[ServiceRequest], pace: Backoff) -> Operation[list[Any]]:
    """The send in the order of the questions.

    Raises the first error that no retry can help, and ServiceUnavailable after the last retry, or
    at once if the service wants to be left alone for longer than a caller would wait.
    """
    answered: dict[ServiceRequest, Any] = {}
    failures = 0
    while True:
        unanswered = tuple(each for each in questions if each not in answered)
        replies = yield Send(unanswered)
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
        yield Sleep(pace.pause_after(worst, failures))


def get(inference_id: str, endpoint: str | None, pace: Backoff) -> Operation[Inference]:
    (document,) = yield from send([GetRecord(inference_id, endpoint)], pace)
    return parse_response(Inference.from_document, document)


def batch_get(ids: Iterable[str], endpoint: str | None, pace: Backoff) -> Operation[Batch]:
    """Each id is asked for once, however often it is given."""
    hundreds = id_batches(dict.fromkeys(checked_ids(ids)))
    questions = [GetRecords(each, endpoint) for each in hundreds]
    documents = (yield from send(questions, pace)) if questions else []
    batches = [parse_response(Batch.from_document, each) for each in documents]
    return Batch(
        [each for batch in batches for each in batch.inferences],
        [each for batch in batches for each in batch.missing],
    )


def list_records(question: ListRecords, pace: Backoff) -> Search[Inference]:
    """All of them, page by page, each page when it is wanted."""
    while True:
        (page,) = yield from send([question], pace)
        for each in parse_response(_inferences, page):
            yield Item(each)
        if not page.get("next_cursor"):
            return
        question = replace(question, cursor=page["next_cursor"])


def summary(question: GetSummary, pace: Backoff) -> Operation[list[DaySummary]]:
    (document,) = yield from send([question], pace)
    return parse_response(_days, document)


def parse_response(read: Callable[[Any], _T], document: Any) -> _T:
    """Raises UnexpectedResponse if the document is not in the shape that `read` expects."""
    try:
        return read(document)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnexpectedResponse("the answer has not the shape of this API's answers") from error


def checked_ids(ids: Iterable[str]) -> list[str]:
    """The ids; a single text is refused, which Python would take for its letters."""
    if isinstance(ids, str):
        raise InvalidRequest("expected several ids, got one text", "ids")
    return list(ids)


def id_batches(ids: Iterable[str]) -> list[tuple[str, ...]]:
    everything = tuple(ids)
    return [everything[at : at + MAX_IDS] for at in range(0, len(everything), MAX_IDS)]


def to_timestamp(value: datetime | str | None, parameter: str) -> str | None:
    """As the API takes it. Raises InvalidRequest for a datetime without an offset."""
    if not isinstance(value, datetime):
        return value
    if value.utcoffset() is None:
        raise InvalidRequest("expected a datetime with an offset (tzinfo)", parameter)
    return value.isoformat()


def to_day(value: date | str | None) -> str | None:
    """`YYYY-MM-DD`."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _inferences(page: dict[str, Any]) -> list[Inference]:
    return [Inference.from_document(each) for each in page["inferences"]]


def _days(document: dict[str, Any]) -> list[DaySummary]:
    return [DaySummary.from_document(each) for each in document["days"]]
