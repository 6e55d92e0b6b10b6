"""Operations that wait until inferences have ended.

An id that nobody knows is waited for too: a result may come before anything else is known of the
inference. Whatever happens, a wait ends within its timeout and one poll.
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
from inference_results.client.flows.queries import checked_ids, id_batches, parse_response
from inference_results.client.flows.requests import GetRecord, GetRecords, ServiceRequest
from inference_results.client.flows.steps import Item, Operation, Search, Send, Sleep
from inference_results.client.records import Batch, Inference, Missing
from inference_results.domain.record.errors import InferenceResultsError

MAX_IN_FLIGHT: Final = 10
"""Questions put side by side."""

_FIRST_WAIT_SECONDS: Final = 1.0
_NO_TIME: Final = datetime.max.replace(tzinfo=UTC)

Progress = Callable[[int, int], None]


def wait(
    inference_id: str,
    timeout: float,
    endpoint: str | None,
    pace: Backoff,
    output_location: str | None = None,
) -> "_Wait":
    """A wait for one id: the service holds each question open for as long as it can.

    An id may be used again. With an `output_location` (`s3://bucket/key`) a record whose output is
    elsewhere is taken for that of an earlier invocation, and not for the end of this one.
    """
    return _Wait([inference_id], timeout, endpoint, pace, one=True, output_location=output_location)


def wait_many(ids: Iterable[str], timeout: float, endpoint: str | None, pace: Backoff) -> "_Wait":
    """A wait for many ids, each once. They are asked for in hundreds.

    One that has ended is shown only when its hundred answers, so the service holds the first
    questions open for a moment only, and later ones longer.
    """
    return _Wait(checked_ids(ids), timeout, endpoint, pace, one=False)


class _Wait:
    """The time runs from when it is made."""

    def __init__(
        self,
        ids: list[str],
        timeout: float,
        endpoint: str | None,
        pace: Backoff,
        *,
        one: bool,
        output_location: str | None = None,
    ) -> None:
        if not timeout >= 0:
            raise InvalidRequest("expected seconds, 0 or more", "timeout")
        self._timeout = timeout
        self._endpoint = endpoint
        self._pace = pace
        self._one = one
        self._output_location = output_location
        self._deadline = pace.clock() + timeout
        self._longest_wait = _FIRST_WAIT_SECONDS
        self._failures = 0
        self._hopeless: ClientError | None = None
        self._trouble: ServiceUnavailable | None = None
        self._round_ends = self._deadline
        self._answered_at = 0.0
        self._pending = dict.fromkeys(ids)
        self._done: dict[str, Inference] = {}
        self._seen: dict[str, Inference] = {}

    def only(self) -> Operation[Inference]:
        """The one that is waited for."""
        while self._pending:
            yield from self._round()
            yield from self._rest()
        (inference,) = self._done.values()
        return inference

    def all(self, progress: Progress | None) -> Operation[dict[str, Inference]]:
        """Those that have ended, by id, in the order in which the ids were given."""
        order = list(self._pending)
        while self._pending:
            yield from self._round()
            if progress:
                progress(len(self._done), len(order))
            yield from self._rest()
        return {inference_id: self._done[inference_id] for inference_id in order}

    def as_completed(self) -> Search[Inference]:
        """One after the other; those found in one round in the order in which they ended."""
        while self._pending:
            ended = yield from self._round()
            for each in sorted(ended, key=lambda each: each.event_time or _NO_TIME):
                yield Item(each)
            yield from self._rest()

    def _round(self) -> Operation[list[Inference]]:
        """Ask for all that are pending; those that have ended since the last round."""
        questions, seconds = self._questions()
        now = self._pace.clock()
        self._round_ends = now + seconds
        # A caller may take the time until after the deadline for what was found before it.
        replies = yield Send(questions, max(now, self._deadline))
        self._answered_at = self._pace.clock()
        troubles = [each for each in replies if isinstance(each, ServiceUnavailable)]
        self._trouble = max(troubles, key=lambda each: each.retry_after or 0, default=None)
        self._failures = self._failures + 1 if troubles else 0
        return [ended for reply in replies for ended in self._settled(reply)]

    def _rest(self) -> Operation[None]:
        """Pause where the round was shorter than it might have been, or failed.

        Raises what no waiting mends, and WaitTimeout if the time is over and some are pending.
        """
        if self._hopeless:
            self._hopeless.done = dict(self._done)
            self._hopeless.pending = list(self._pending)
            raise self._hopeless
        if not self._pending:
            return
        if self._answered_at >= self._deadline:
            raise WaitTimeout(
                self._timeout, pending=list(self._pending), done=self._done, seen=self._seen
            ) from self._trouble
        if self._trouble:
            pause = self._pace.pause_after(self._trouble, self._failures)
        else:
            # A service that holds no question open is not asked again and again without a pause.
            pause = min(self._round_ends - self._pace.clock(), self._longest_wait)
        self._longest_wait = min(2 * self._longest_wait, self._pace.longest_wait)
        pause = min(pause, self._deadline - self._pace.clock())
        if pause > 0:
            yield Sleep(pause)

    def _questions(self) -> tuple[tuple[ServiceRequest, ...], float]:
        """What to ask, and how many seconds the service may take for all of it."""
        left = max(self._deadline - self._pace.clock(), 0.0)
        if self._one:
            (inference_id,) = self._pending
            seconds = min(left, self._pace.longest_wait)
            return (GetRecord(inference_id, self._endpoint, seconds),), seconds
        seconds = min(left, self._longest_wait)
        hundreds = id_batches(self._pending)
        one_after_the_other = ceil(len(hundreds) / MAX_IN_FLIGHT)
        wait = seconds / one_after_the_other
        return tuple(GetRecords(each, self._endpoint, wait) for each in hundreds), seconds

    def _settled(self, reply: Any) -> Iterator[Inference]:
        """Those that have ended. What no waiting mends is raised after the other replies."""
        try:
            batch = self._understood(reply)
        except ClientError as error:
            self._hopeless = self._hopeless or error
            return
        self._hopeless = self._hopeless or _hopeless(batch.missing)
        for each in batch.inferences:
            if self._take(each):
                yield each

    def _understood(self, reply: Any) -> Batch:
        match reply:
            case RecordExpired():
                raise reply
            case None | ServiceUnavailable() | NotFound():
                return Batch([], [])
            case InferenceResultsError():
                raise reply
        if self._one:
            return Batch([parse_response(Inference.from_document, reply)], [])
        return parse_response(Batch.from_document, reply)

    def _take(self, inference: Inference) -> bool:
        """Keep it; whether it has ended."""
        if not inference.is_terminal or self._is_earlier(inference):
            self._seen[inference.inference_id] = inference
            return False
        self._pending.pop(inference.inference_id, None)
        self._seen.pop(inference.inference_id, None)
        self._done[inference.inference_id] = inference
        return True

    def _is_earlier(self, inference: Inference) -> bool:
        found = inference.output.location if inference.output else None
        return None not in (found, self._output_location) and found != self._output_location


def _hopeless(missing: list[Missing]) -> ClientError | None:
    """The error of the first id that no waiting brings."""
    for each in missing:
        match each.reason:
            case "ambiguous":
                return AmbiguousInference(each.inference_id, each.endpoints)
            case "expired":
                return RecordExpired(each.inference_id)
    return None
