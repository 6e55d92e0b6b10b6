"""Operations that wait until inferences have ended.

An unknown id is pending too, because a result can be the first thing that is recorded for an
inference. A wait ends at most one poll after its timeout.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

from inference_results.client.errors import (
    AmbiguousInference,
    ClientError,
    InvalidRequest,
    NotFound,
    RecordExpired,
    ServiceUnavailable,
    WaitTimeout,
)
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.queries import check_ids, parse_document, split_ids
from inference_results.client.flows.requests import GetRecord, GetRecords, ServiceRequest
from inference_results.client.flows.steps import Item, Operation, Send, Sleep, Stream
from inference_results.client.records import Batch, Inference, Missing
from inference_results.domain.record.errors import InferenceResultsError

MAX_IN_FLIGHT: Final = 10
"""Concurrent requests of one step."""

_FIRST_WAIT_SECONDS: Final = 1.0
_MAX_TIME: Final = datetime.max.replace(tzinfo=UTC)

Progress = Callable[[int, int], None]


def wait(
    inference_id: str,
    timeout: float,
    endpoint: str | None,
    backoff: Backoff,
    output_location: str | None = None,
) -> "_Wait":
    """Wait for one id. Each request has the longest `wait` that the timeout allows.

    With an `output_location` (`s3://bucket/key`), a record with another output location belongs to
    an earlier invocation with the same id, and does not end the wait.
    """
    return _Wait(
        [inference_id], timeout, endpoint, backoff, single=True, output_location=output_location
    )


def wait_many(
    ids: Iterable[str], timeout: float, endpoint: str | None, backoff: Backoff
) -> "_Wait":
    """Wait for many ids, in batches of MAX_IDS.

    The service responds to a batch when all of its inferences have ended or the `wait` is over.
    The first waits are short, to see early results soon; later waits are longer.
    """
    return _Wait(check_ids(ids), timeout, endpoint, backoff, single=False)


class _Wait:
    """Polls until all ids have ended. The timeout starts when the object is created."""

    def __init__(
        self,
        ids: list[str],
        timeout: float,
        endpoint: str | None,
        backoff: Backoff,
        *,
        single: bool,
        output_location: str | None = None,
    ) -> None:
        if not timeout >= 0:
            raise InvalidRequest("expected a number of seconds, 0 or more", "timeout")
        self._timeout = timeout
        self._endpoint = endpoint
        self._backoff = backoff
        self._single = single
        self._output_location = output_location
        self._deadline = backoff.clock() + timeout
        self._max_wait = _FIRST_WAIT_SECONDS
        self._failures = 0
        self._permanent_error: ClientError | None = None
        self._unavailable: ServiceUnavailable | None = None
        self._poll_ends_at = self._deadline
        self._responded_at = 0.0
        self._pending = dict.fromkeys(ids)
        self._done: dict[str, Inference] = {}
        self._seen: dict[str, Inference] = {}

    def one(self) -> Operation[Inference]:
        """Return the only inference, once it has ended."""
        while self._pending:
            yield from self._poll()
            yield from self._pause_or_raise()
        (inference,) = self._done.values()
        return inference

    def all(self, progress: Progress | None) -> Operation[dict[str, Inference]]:
        """Return the inferences by id, in the order of the ids, once all have ended."""
        order = list(self._pending)
        while self._pending:
            yield from self._poll()
            if progress:
                progress(len(self._done), len(order))
            yield from self._pause_or_raise()
        return {inference_id: self._done[inference_id] for inference_id in order}

    def as_completed(self) -> Stream[Inference]:
        """Yield each inference after it has ended. Those of one poll are ordered by event time."""
        while self._pending:
            ended = yield from self._poll()
            for each in sorted(ended, key=lambda each: each.event_time or _MAX_TIME):
                yield Item(each)
            yield from self._pause_or_raise()

    def _poll(self) -> Operation[list[Inference]]:
        """Request all pending ids and return the inferences that have ended since the last poll."""
        requests, seconds = self._next_requests()
        now = self._backoff.clock()
        self._poll_ends_at = now + seconds
        # If the caller of as_completed was busy past the deadline, poll once more.
        responses = yield Send(requests, max(now, self._deadline))
        self._responded_at = self._backoff.clock()
        unavailable = [each for each in responses if isinstance(each, ServiceUnavailable)]
        self._unavailable = max(unavailable, key=lambda each: each.retry_after or 0, default=None)
        self._failures = self._failures + 1 if unavailable else 0
        return [ended for response in responses for ended in self._take_ended(response)]

    def _pause_or_raise(self) -> Operation[None]:
        """Sleep before the next poll, unless the service has waited already.

        Raises a permanent error, or WaitTimeout if ids are pending after the deadline.
        """
        if self._permanent_error:
            self._permanent_error.done = dict(self._done)
            self._permanent_error.pending = list(self._pending)
            raise self._permanent_error
        if not self._pending:
            return
        if self._responded_at >= self._deadline:
            raise WaitTimeout(
                self._timeout, pending=list(self._pending), done=self._done, seen=self._seen
            ) from self._unavailable
        if self._unavailable:
            delay = self._backoff.delay(self._unavailable, self._failures)
        else:
            # A service that ignores `wait` must not be polled without a delay.
            delay = min(self._poll_ends_at - self._backoff.clock(), self._max_wait)
        self._max_wait = min(2 * self._max_wait, self._backoff.max_wait)
        delay = min(delay, self._deadline - self._backoff.clock())
        if delay > 0:
            yield Sleep(delay)

    def _next_requests(self) -> tuple[tuple[ServiceRequest, ...], float]:
        """Return the requests of the next poll, and the seconds that they can take together."""
        left = max(self._deadline - self._backoff.clock(), 0.0)
        if self._single:
            (inference_id,) = self._pending
            seconds = min(left, self._backoff.max_wait)
            return (GetRecord(inference_id, self._endpoint, seconds),), seconds
        seconds = min(left, self._max_wait)
        id_batches = split_ids(self._pending)
        consecutive_requests = ceil(len(id_batches) / MAX_IN_FLIGHT)
        wait = seconds / consecutive_requests
        return tuple(GetRecords(each, self._endpoint, wait) for each in id_batches), seconds

    def _take_ended(self, response: Any) -> Iterator[Inference]:
        """Yield the ended inferences of a response.

        A permanent error is kept and raised after the other responses of the poll are processed.
        """
        try:
            batch = self._parse(response)
        except ClientError as error:
            self._permanent_error = self._permanent_error or error
            return
        self._permanent_error = self._permanent_error or _error_for_missing(batch.missing)
        for each in batch.inferences:
            if self._mark_ended(each):
                yield each

    def _parse(self, response: Any) -> Batch:
        match response:
            case RecordExpired():
                raise response
            case None | ServiceUnavailable() | NotFound():
                return Batch([], [])
            case InferenceResultsError():
                raise response
        if self._single:
            return Batch([parse_document(Inference.from_document, response)], [])
        return parse_document(Batch.from_document, response)

    def _mark_ended(self, inference: Inference) -> bool:
        """Store the record. Return True if it ends the wait for its id."""
        if not inference.is_terminal or self._is_earlier_invocation(inference):
            self._seen[inference.inference_id] = inference
            return False
        self._pending.pop(inference.inference_id, None)
        self._seen.pop(inference.inference_id, None)
        self._done[inference.inference_id] = inference
        return True

    def _is_earlier_invocation(self, inference: Inference) -> bool:
        location = inference.output.location if inference.output else None
        return None not in (location, self._output_location) and location != self._output_location


def _error_for_missing(missing: list[Missing]) -> ClientError | None:
    """Return the error of the first id that no wait can resolve."""
    for each in missing:
        match each.reason:
            case "ambiguous":
                return AmbiguousInference(each.inference_id, each.endpoints)
            case "expired":
                return RecordExpired(each.inference_id)
    return None
