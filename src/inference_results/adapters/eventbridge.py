"""The event bus."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from inference_results.adapters.aws.calls import translate_unavailable
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

_MOST_ENTRIES: Final = 10
_MOST_BYTES: Final = MAX_EVENT_BYTES
"""Of one call. AWS has raised its limit to 1 MB, and not told when in which region."""
_TIME_BYTES: Final = 14
"""What EventBridge counts for a time."""

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

_NEVER: Final = frozenset({"InvalidArgument", "MalformedDetail", "RedactionFailure"})
"""Said of the event itself. Other refusals are about rights, which can be repaired."""


class EventBus:
    """Puts events, as many in one call as it may have, several calls at a time.

    `resource` is the ARN of the table, by which rules on a bus that is shared tell stacks apart.
    """

    def __init__(
        self, client: "EventBridgeClient", bus_arn: str, resource: str, pool: Executor
    ) -> None:
        self._client = client
        self._bus_arn = bus_arn
        self._resource = resource
        self._pool = pool

    def put(
        self, announcements: Sequence[InferenceEvent], may_begin: Callable[[], bool]
    ) -> list[PutResult]:
        """What became of each; what botocore gives up may have been taken all the same."""
        calls = list(_calls([self._entry(each) for each in announcements]))
        replies = self._pool.map(partial(self._call, may_begin), calls)
        return [reply for each in replies for reply in each]

    def _call(
        self, may_begin: Callable[[], bool], entries: "Sequence[PutEventsRequestEntryTypeDef]"
    ) -> list[PutResult]:
        if not may_begin():
            return [PutResult.NOT_NOW] * len(entries)
        try:
            with translate_unavailable("events"):
                answer = self._client.put_events(Entries=entries)
        except Unavailable:
            return [PutResult.NOT_NOW] * len(entries)
        return [_reply(each) for each in answer["Entries"]]

    def _entry(self, announcement: InferenceEvent) -> "PutEventsRequestEntryTypeDef":
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": self._bus_arn,
            "Source": EVENT_SOURCE,
            "DetailType": announcement.detail_type.value,
            "Resources": [self._resource],
            "Detail": announcement.detail,
        }
        # A clock may be wrong by centuries, and no event be kept back for that.
        if (time := datetime.fromisoformat(announcement.time)) >= _EARLIEST:
            entry["Time"] = time
        return entry


def entry_bytes(entry: "PutEventsRequestEntryTypeDef") -> int:
    """The size of an entry as EventBridge counts it; with a time in any case."""
    texts = [entry["Source"], entry["DetailType"], entry["Detail"], *entry["Resources"]]
    return _TIME_BYTES + sum(len(text.encode()) for text in texts)


def _calls(
    entries: "Sequence[PutEventsRequestEntryTypeDef]",
) -> "Iterator[Sequence[PutEventsRequestEntryTypeDef]]":
    """The entries in their order, cut into calls."""
    call: list[PutEventsRequestEntryTypeDef] = []
    room = _MOST_BYTES
    for entry in entries:
        size = entry_bytes(entry)
        if call and (len(call) == _MOST_ENTRIES or size > room):
            yield call
            call, room = [], _MOST_BYTES
        call.append(entry)
        room -= size
    if call:
        yield call


def _reply(result: "PutEventsResultEntryTypeDef") -> PutResult:
    match result.get("ErrorCode"):
        case None:
            return PutResult.TAKEN
        case code if code in _NEVER:
            return PutResult.NEVER
    return PutResult.NOT_NOW
