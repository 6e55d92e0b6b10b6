"""What is written of one id: registrations, results and sweeps, and what must then be recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.reconciliation.reconcile import ReconcileRecords
from inference_results.domain.record.result import Source
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.register import RegisterInvocation
from tests.fakes import NOW, FakeObjects, World
from tests.pools import InlinePool
from tests.samples import PREFIX, body, completed, failed

START = datetime(2026, 1, 1, tzinfo=UTC)
RETENTION = timedelta(days=90)
KEY = {"inference_id": {"S": "inference-1"}, "endpoint_name": {"S": "here"}}
PRECEDENCE = {"Completed": 4, "Failed": 3, "Expired": 2}
NOTES = st.sampled_from("ab")


def submitted_at(invocation: int) -> datetime:
    """An id is used again after the time by which clocks may differ."""
    return START + timedelta(hours=2 * invocation)


@dataclass(frozen=True, order=True)
class Registration:
    invocation: int
    note: str
    token: str = ""

    def told(self) -> dict[str, Any]:
        """In the order of the notes, so that the reference need not know digests."""
        moment = submitted_at(self.invocation) + timedelta(seconds=self.note > "a")
        return {
            "endpoint": "here",
            "submitted_at": timestamp(moment),
            "output_location": f"{PREFIX}{self.invocation}.out",
            "failure_location": f"{PREFIX}{self.invocation}.err",
            "metadata": {"note": self.note},
            **({"task_token": self.token} if self.token else {}),
        }


@dataclass(frozen=True, order=True)
class Result:
    """In the order in which results win."""

    event_time: str
    precedence: int
    status: str
    invocation: int
    names_its_place: bool
    readable: bool

    def told(self) -> str:
        event = {"eventTime": self.event_time, "requestParameters": {"endpointName": "here"}}
        if self.status == "Completed":
            return body(completed(key=f"{self.invocation}.out", **event))
        place = {"failureLocation": f"{PREFIX}{self.invocation}.err"}
        named = place if self.names_its_place else {}
        return body(failed(invocationStatus=self.status, **event, **named))


@dataclass(frozen=True)
class Sweep:
    finds: bool = False
    """Whether the output is there by then."""


Event = Registration | Result | Sweep


@st.composite
def results(draw: st.DrawFn, invocations: st.SearchStrategy[int]) -> Result:
    invocation = draw(invocations)
    status = draw(st.sampled_from([*PRECEDENCE]))
    moment = submitted_at(invocation) + timedelta(seconds=draw(st.integers(5, 7)))
    completed = status == "Completed"
    return Result(
        timestamp(moment),
        PRECEDENCE[status],
        status,
        invocation,
        names_its_place=completed or draw(st.booleans()),
        readable=completed and draw(st.booleans()),
    )


def last_registration(events: Sequence[Event]) -> Registration | None:
    return max((each for each in events if isinstance(each, Registration)), default=None)


def expected(events: Sequence[Event]) -> dict[str, Any]:
    """The reference: what is recorded once all of this was told, in whatever order, unswept."""
    last = last_registration(events)
    tokens = {
        each.token
        for each in events
        if isinstance(each, Registration) and last and each.invocation == last.invocation
    }
    of_it_or_later = [
        each
        for each in events
        if isinstance(each, Result) and (last is None or each.invocation >= last.invocation)
    ]
    result = max(of_it_or_later, default=None)
    in_progress = "InProgress" if last else None
    return {
        "status": result.status if result else in_progress,
        "event_time": result and result.event_time,
        "output": f"{PREFIX}{result.invocation}.out"
        if result and result.status == "Completed"
        else None,
        "unread": bool(result and result.status == "Completed" and not result.readable),
        "note": last and last.note,
        "place": last and f"{PREFIX}{last.invocation}.out",
        "tokens": tokens - {""},
    }


def swept(record: dict[str, Any], sweep: Sweep = Sweep()) -> dict[str, Any]:
    """What a sweep makes of it."""
    if record["status"] != "InProgress":
        return record | ({"unread": False} if sweep.finds else {})
    if sweep.finds:
        return record | {"status": "Completed", "output": record["place"]}
    return record | {"status": "Lost"}


def found(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": item.get("status"),
        "event_time": item.get("event_time")
        if item.get("source") != Source.RECONCILIATION
        else None,
        "output": item.get("output", {}).get("location"),
        "unread": "output_error" in item,
        "note": item.get("caller_metadata", {}).get("note"),
        "place": item.get("submission", {}).get("output_location"),
        "tokens": item.get("task_tokens", set()),
    }


class Writer:
    """The use cases that write records, over one client."""

    def __init__(self, client: Any, table_name: str, shards: int) -> None:
        table = (client, table_name, shards)
        self._records = ResultStore(*table)
        self._register = RegisterInvocation(
            registrations=SubmissionStore(*table),
            completes_tasks=True,
            retention=RETENTION,
            now=lambda: NOW,
        )
        self._outputs = FakeObjects()
        self._sweep = ReconcileRecords(
            overdue=OverdueQueries(*table),
            records=self._records,
            read=World(records=self._records, objects=self._outputs).read,
            retention=RETENTION,
            slack=timedelta(),
            # So that outputs that could not be read are looked at again.
            now=lambda: NOW + timedelta(minutes=1),
        )

    def write(self, event: Event) -> None:
        """Raises InvalidParameter for the token of an invocation before the last."""
        match event:
            case Registration():
                self._register("inference-1", event.told())
            case Result():
                world = World(records=self._records)
                if event.readable:
                    world.objects.stored[f"{PREFIX}{event.invocation}.out"] = b"output"
                world.settle(event.told(), receive_count=3)
            case Sweep():
                places = [f"{PREFIX}{invocation}.out" for invocation in range(3)]
                self._outputs.stored = dict.fromkeys(places, b"output") if event.finds else {}
                list(self._sweep(InlinePool(), lambda: True))
