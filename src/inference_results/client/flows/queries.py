"""Operations that read records and summaries, with retries."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final, TypeVar

from inference_results.client.errors import InvalidRequest, ServiceUnavailable, UnexpectedResponse
from inference_results.client.flows.backoff import MAX_DELAY_SECONDS, Backoff
from inference_results.client.flows.requests import (
    MAX_IDS,
    GetRecord,
    GetRecords,
    GetSummary,
    ListRecords,
    ServiceRequest,
)
from inference_results.client.flows.steps import Item, Operation, Send, Sleep, Stream
from inference_results.client.records import Batch, DaySummary, Inference
from inference_results.domain.record.errors import InferenceResultsError

RETRIES: Final = 4

_T = TypeVar("_T")


def send(requests: Sequence[ServiceRequest], backoff: Backoff) -> Operation[list[Any]]:
    """Send requests, retry those that fail, and return the responses in order.

    Raises the first error that no retry can help. Raises ServiceUnavailable after the last retry,
    or at once if the service requests a delay of more than MAX_DELAY_SECONDS.
    """
    responses: dict[ServiceRequest, Any] = {}
    failures = 0
    while True:
        pending = tuple(each for each in requests if each not in responses)
        received = yield Send(pending)
        for request, response in zip(pending, received, strict=True):
            if not isinstance(response, InferenceResultsError):
                responses[request] = response
            elif not isinstance(response, ServiceUnavailable):
                raise response
        unavailable = [each for each in received if isinstance(each, ServiceUnavailable)]
        if not unavailable:
            return [responses[each] for each in requests]
        failures += 1
        longest = max(unavailable, key=lambda error: error.retry_after or 0)
        if failures > RETRIES or (longest.retry_after or 0) > MAX_DELAY_SECONDS:
            raise longest
        yield Sleep(backoff.delay(longest, failures))


def get(inference_id: str, endpoint: str | None, backoff: Backoff) -> Operation[Inference]:
    (document,) = yield from send([GetRecord(inference_id, endpoint)], backoff)
    return parse_document(Inference.from_document, document)


def batch_get(ids: Iterable[str], endpoint: str | None, backoff: Backoff) -> Operation[Batch]:
    """Get the records of any number of ids. Duplicate ids are requested once."""
    id_batches = split_ids(dict.fromkeys(check_ids(ids)))
    requests = [GetRecords(each, endpoint) for each in id_batches]
    documents = (yield from send(requests, backoff)) if requests else []
    batches = [parse_document(Batch.from_document, each) for each in documents]
    return Batch(
        [each for batch in batches for each in batch.inferences],
        [each for batch in batches for each in batch.missing],
    )


def list_records(request: ListRecords, backoff: Backoff) -> Stream[Inference]:
    """Yield the records of all pages. A page is requested when the caller needs it."""
    while True:
        (page,) = yield from send([request], backoff)
        for each in parse_document(_parse_page, page):
            yield Item(each)
        if not page.get("next_cursor"):
            return
        request = replace(request, cursor=page["next_cursor"])


def summary(request: GetSummary, backoff: Backoff) -> Operation[list[DaySummary]]:
    (document,) = yield from send([request], backoff)
    return parse_document(_parse_days, document)


def parse_document(parse: Callable[[Any], _T], document: Any) -> _T:
    """Parse a document. Raises UnexpectedResponse if `parse` fails."""
    try:
        return parse(document)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnexpectedResponse(
            "the response does not have this API's format: check api_url"
        ) from error


def check_ids(ids: Iterable[str]) -> list[str]:
    """Return the ids as a list. Raises InvalidRequest for a single string."""
    if isinstance(ids, str):
        raise InvalidRequest("expected a list of ids, got a string", "ids")
    return list(ids)


def split_ids(ids: Iterable[str]) -> list[tuple[str, ...]]:
    """Split ids into batches of at most MAX_IDS."""
    all_ids = tuple(ids)
    return [all_ids[at : at + MAX_IDS] for at in range(0, len(all_ids), MAX_IDS)]


def to_timestamp(value: datetime | str | None, parameter: str) -> str | None:
    """Format a time for the API. Raises InvalidRequest for a datetime without an offset."""
    if not isinstance(value, datetime):
        return value
    if value.utcoffset() is None:
        raise InvalidRequest("expected a datetime with an offset (tzinfo)", parameter)
    return value.isoformat()


def to_day(value: date | str | None) -> str | None:
    """Format a day as `YYYY-MM-DD`."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _parse_page(page: dict[str, Any]) -> list[Inference]:
    return [Inference.from_document(each) for each in page["inferences"]]


def _parse_days(document: dict[str, Any]) -> list[DaySummary]:
    return [DaySummary.from_document(each) for each in document["days"]]
