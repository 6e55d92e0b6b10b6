"""Put events on an EventBridge bus."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.contract import EVENT_SOURCE
from inference_results.domain.changes.events import MAX_EVENT_BYTES, InferenceEvent
from inference_results.domain.changes.publish import PutResult
from inference_results.domain.record.errors import Unavailable

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import (
        PutEventsRequestEntryTypeDef,
        PutEventsResultEntryTypeDef,
    )

_MAX_ENTRIES: Final = 10
_MAX_CALL_BYTES: Final = MAX_EVENT_BYTES
"""AWS has raised its limit to 1 MB, but does not document in which regions."""
_TIME_BYTES: Final = 14
"""The size that EventBridge counts for an entry's time."""

_EARLIEST_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

_INVALID_EVENT_CODES: Final = frozenset({"InvalidArgument", "MalformedDetail", "RedactionFailure"})
"""Errors of the event itself. Other errors are about permissions, which can be fixed."""


class EventBus:
    """Puts events in batches, several calls at a time.

    `resource` is the table's ARN. Rules on a shared bus match it to select one stack's events.
    """

    def __init__(
        self, client: "EventBridgeClient", bus_arn: str, resource: str, pool: Executor
    ) -> None:
        self._client = client
        self._bus_arn = bus_arn
        self._resource = resource
        self._pool = pool

    def put(
        self, events: Sequence[InferenceEvent], has_time: Callable[[], bool]
    ) -> list[PutResult]:
        """Put each event once and return one result each, in order.

        RETRY does not mean that the bus lacks the event: a response can be lost.
        """
        calls = list(_calls([self._entry(each) for each in events]))
        results = self._pool.map(partial(self._call, has_time), calls)
        return [result for of_call in results for result in of_call]

    def _call(
        self, has_time: Callable[[], bool], entries: "Sequence[PutEventsRequestEntryTypeDef]"
    ) -> list[PutResult]:
        if not has_time():
            return [PutResult.RETRY] * len(entries)
        try:
            with translate_unavailable("events"):
                response = self._client.put_events(Entries=entries)
        except Unavailable:
            return [PutResult.RETRY] * len(entries)
        return [_put_result(each) for each in response["Entries"]]

    def _entry(self, event: InferenceEvent) -> "PutEventsRequestEntryTypeDef":
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": self._bus_arn,
            "Source": EVENT_SOURCE,
            "DetailType": event.detail_type.value,
            "Resources": [self._resource],
            "Detail": event.detail,
        }
        # EventBridge rejects earlier times. A wrong clock must not withhold an event.
        if (time := datetime.fromisoformat(event.time)) >= _EARLIEST_TIME:
            entry["Time"] = time
        return entry


def entry_bytes(entry: "PutEventsRequestEntryTypeDef") -> int:
    """Return the size of an entry as EventBridge counts it. It always includes a time."""
    texts = [entry["Source"], entry["DetailType"], entry["Detail"], *entry["Resources"]]
    return _TIME_BYTES + sum(len(text.encode()) for text in texts)


def _calls(
    entries: "Sequence[PutEventsRequestEntryTypeDef]",
) -> "Iterator[Sequence[PutEventsRequestEntryTypeDef]]":
    """Split entries into calls, in their order."""
    call: list[PutEventsRequestEntryTypeDef] = []
    free_bytes = _MAX_CALL_BYTES
    for entry in entries:
        size = entry_bytes(entry)
        if call and (len(call) == _MAX_ENTRIES or size > free_bytes):
            yield call
            call, free_bytes = [], _MAX_CALL_BYTES
        call.append(entry)
        free_bytes -= size
    if call:
        yield call


def _put_result(result: "PutEventsResultEntryTypeDef") -> PutResult:
    match result.get("ErrorCode"):
        case None:
            return PutResult.ACCEPTED
        case code if code in _INVALID_EVENT_CODES:
            return PutResult.REJECTED
    return PutResult.RETRY
