"""Writes of one record, and a model of the record that they must leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.registrations import RegistrationStore
from inference_results.adapters.table.results import ResultStore
from inference_results.domain.reconciliation.end_overdue import EndOverdueRecord
from inference_results.domain.reconciliation.read_unread import ReadUnreadOutput
from inference_results.domain.reconciliation.reconcile import ReconcileRecords
from inference_results.domain.record.result import Source
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.register import RegisterInvocation
from tests.support.fakes import NOW, FakeObjects, World
from tests.support.pools import InlinePool
from tests.support.samples import PREFIX, body, completed, failed

START = datetime(2026, 1, 1, tzinfo=UTC)
RETENTION = timedelta(days=90)
KEY = {"inference_id": {"S": "inference-1"}, "endpoint_name": {"S": "here"}}
PRECEDENCE = {"Completed": 4, "Failed": 3, "Expired": 2}
NOTES = st.sampled_from("ab")


def submitted_at(invocation: int) -> datetime:
    """When an invocation was made. The id is reused after more than the clock tolerance."""
    return START + timedelta(hours=2 * invocation)


def output_location(invocation: int) -> str:
    return f"{PREFIX}{invocation}.out"


def failure_location(invocation: int) -> str:
    return f"{PREFIX}{invocation}.err"


@dataclass(frozen=True, order=True)
class Registration:
    """Sorts as registrations win."""

    invocation: int
    note: str
    token: str = ""

    def parameters(self) -> dict[str, Any]:
        """The parameters of the request.

        Note "b" has a later time than "a", so the model needs no digest to order the two.
        """
        time = submitted_at(self.invocation) + timedelta(seconds=self.note > "a")
        return {
            "endpoint": "here",
            "submitted_at": timestamp(time),
            "output_location": output_location(self.invocation),
            "failure_location": failure_location(self.invocation),
            "metadata": {"note": self.note},
            **({"task_token": self.token} if self.token else {}),
        }


@dataclass(frozen=True, order=True)
class Result:
    """The result of a notification. Sorts as results win."""

    event_time: str
    precedence: int
    status: str
    invocation: int
    has_location: bool
    is_readable: bool

    def notification(self) -> str:
        fields = {"eventTime": self.event_time, "requestParameters": {"endpointName": "here"}}
        if self.status == "Completed":
            return body(completed(key=f"{self.invocation}.out", **fields))
        if self.has_location:
            fields["failureLocation"] = failure_location(self.invocation)
        return body(failed(invocationStatus=self.status, **fields))


@dataclass(frozen=True)
class Reconciliation:
    """A run of reconciliation."""

    finds_output: bool = False


Write = Registration | Result | Reconciliation


@st.composite
def results(draw: st.DrawFn, invocations: st.SearchStrategy[int]) -> Result:
    invocation = draw(invocations)
    status = draw(st.sampled_from([*PRECEDENCE]))
    time = submitted_at(invocation) + timedelta(seconds=draw(st.integers(5, 7)))
    is_completed = status == "Completed"
    return Result(
        timestamp(time),
        PRECEDENCE[status],
        status,
        invocation,
        has_location=is_completed or draw(st.booleans()),
        is_readable=is_completed and draw(st.booleans()),
    )


def last_registration(writes: Sequence[Write]) -> Registration | None:
    return max((each for each in writes if isinstance(each, Registration)), default=None)


def expected_record(writes: Sequence[Write]) -> dict[str, Any]:
    """The model: the record after these writes, in any order, without reconciliation."""
    last = last_registration(writes)
    tokens = {
        each.token
        for each in writes
        if isinstance(each, Registration) and last and each.invocation == last.invocation
    }
    results_to_keep = [
        each
        for each in writes
        if isinstance(each, Result) and (last is None or each.invocation >= last.invocation)
    ]
    result = max(results_to_keep, default=None)
    without_result = "InProgress" if last else None
    is_completed = result is not None and result.status == "Completed"
    return {
        "status": result.status if result else without_result,
        "event_time": result and result.event_time,
        "output": output_location(result.invocation) if result and is_completed else None,
        "unread": bool(result and is_completed and not result.is_readable),
        "note": last and last.note,
        "promised_output": last and output_location(last.invocation),
        "tokens": tokens - {""},
    }


def reconciled(
    record: dict[str, Any], reconciliation: Reconciliation = Reconciliation()
) -> dict[str, Any]:
    """The model's record after a run of reconciliation."""
    if record["status"] != "InProgress":
        return record | ({"unread": False} if reconciliation.finds_output else {})
    if reconciliation.finds_output:
        return record | {"status": "Completed", "output": record["promised_output"]}
    return record | {"status": "Lost"}


def actual_record(item: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an item that the model knows."""
    return {
        "status": item.get("status"),
        "event_time": item.get("event_time")
        if item.get("source") != Source.RECONCILIATION
        else None,
        "output": item.get("output", {}).get("location"),
        "unread": "output_error" in item,
        "note": item.get("caller_metadata", {}).get("note"),
        "promised_output": item.get("submission", {}).get("output_location"),
        "tokens": item.get("task_tokens", set()),
    }


def _reconciled_at() -> datetime:
    """Later than the results, so that unread outputs are due for a read."""
    return NOW + timedelta(minutes=1)


class Writer:
    """The use cases that write records, with one client."""

    def __init__(self, client: Any, table_name: str, shards: int) -> None:
        table = (client, table_name, shards)
        self._records = ResultStore(*table)
        self._register = RegisterInvocation(
            registrations=RegistrationStore(*table),
            completes_tasks=True,
            retention=RETENTION,
            now=lambda: NOW,
        )
        self._outputs = FakeObjects()
        read = World(records=self._records, objects=self._outputs).read
        self._reconcile = ReconcileRecords(
            overdue=OverdueQueries(*table),
            end_overdue=EndOverdueRecord(
                records=self._records, read=read, retention=RETENTION, now=_reconciled_at
            ),
            read_unread=ReadUnreadOutput(records=self._records, read=read, now=_reconciled_at),
            slack=timedelta(),
            now=_reconciled_at,
        )

    def write(self, write: Write) -> None:
        """Raises InvalidParameter for the token of an invocation before the last one."""
        match write:
            case Registration():
                self._register("inference-1", write.parameters())
            case Result():
                world = World(records=self._records)
                if write.is_readable:
                    world.objects.stored[output_location(write.invocation)] = b"output"
                world.process(write.notification(), receive_count=3)
            case Reconciliation():
                locations = [output_location(invocation) for invocation in range(3)]
                self._outputs.stored = (
                    dict.fromkeys(locations, b"output") if write.finds_output else {}
                )
                list(self._reconcile(InlinePool(), lambda: True))
