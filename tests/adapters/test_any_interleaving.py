"""Registrations, results and sweeps of one id, in any order and number, against a small model."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from inference_results.adapters.dynamodb import InferencesTable
from inference_results.adapters.overdue import OverdueRecords
from inference_results.adapters.submissions import SubmissionsTable
from inference_results.domain.registering import RegisterInvocation
from inference_results.domain.sweeping import SweepOverdue
from inference_results.domain.timestamp import timestamp
from tests.effort import effort
from tests.fakes import NOW, World
from tests.pools import InlinePool
from tests.samples import PREFIX, body, completed, failed

START = datetime(2026, 1, 1, tzinfo=UTC)
INVOCATIONS = st.integers(0, 2)
KEY = {"inference_id": {"S": "inference-1"}, "endpoint_name": {"S": "here"}}


def submitted_at(invocation: int) -> datetime:
    """An id is used again after the time by which clocks may differ."""
    return START + timedelta(hours=2 * invocation)


@dataclass
class Model:
    """What must be recorded, from all that was told."""

    registrations: set[tuple[int, str]]
    results: set[tuple[str, int, int, str]]
    swept: set[int]

    def expected(self) -> tuple[str, str | None, str | None]:
        """Status, and the invocation that was registered last with what its submitter wrote."""
        last, note = max(self.registrations, default=(None, None))
        of_it_or_later = [each for each in self.results if last is None or each[2] >= last]
        if of_it_or_later:
            return max(of_it_or_later)[3], last, note
        return "Lost" if last in self.swept else "InProgress", last, note


class Interleaving(RuleBasedStateMachine):
    table_name: str

    def __init__(self) -> None:
        super().__init__()
        client = boto3.client("dynamodb")
        client.delete_item(TableName=self.table_name, Key=KEY)
        records = InferencesTable(client, self.table_name, shards=4)
        self.world = World(records=records)
        self.register_invocation = RegisterInvocation(
            registrations=SubmissionsTable(client, self.table_name, shards=4),
            answers_tasks=True,
            retention=timedelta(days=90),
            now=lambda: NOW,
        )
        self.sweep_overdue = SweepOverdue(
            overdue=OverdueRecords(client, self.table_name, shards=4),
            records=records,
            read=self.world.read,
            retention=timedelta(days=90),
            slack=timedelta(),
            now=lambda: NOW,
        )
        self.find: Callable[[], dict[str, Any]] = lambda: client.get_item(
            TableName=self.table_name, Key=KEY, ConsistentRead=True
        ).get("Item", {})
        self.model = Model(set(), set(), set())

    @rule(invocation=INVOCATIONS, note=st.sampled_from("ab"))
    def registered(self, invocation: int, note: str) -> None:
        self.register(invocation, note)

    def register(self, invocation: int, note: str, **members: str) -> None:
        self.register_invocation(
            "inference-1",
            {
                "endpoint": "here",
                # In the order of the notes, so that the model need not know digests.
                "submitted_at": timestamp(submitted_at(invocation) + timedelta(seconds=note > "a")),
                "output_location": f"{PREFIX}{invocation}.out",
                "failure_location": f"{PREFIX}{invocation}.err",
                "metadata": {"note": note},
                **members,
            },
        )
        self.model.registrations.add((invocation, note))

    @rule(
        invocation=INVOCATIONS,
        seconds=st.integers(5, 7),
        status=st.sampled_from(["Completed", "Failed", "Expired"]),
        told=st.booleans(),
    )
    def result(self, invocation: int, seconds: int, status: str, told: bool) -> None:
        event_time = timestamp(submitted_at(invocation) + timedelta(seconds=seconds))
        event = {"eventTime": event_time, "requestParameters": {"endpointName": "here"}}
        if status == "Completed":
            notice = completed(key=f"{invocation}.out", **event)
        else:
            place = {"failureLocation": f"{PREFIX}{invocation}.err"} if told else {}
            notice = failed(invocationStatus=status, **event, **place)
        self.world.settle(body(notice), receive_count=3)
        precedence = {"Completed": 4, "Failed": 3, "Expired": 2}[status]
        self.model.results.add((event_time, precedence, invocation, status))

    @rule()
    def sweep(self) -> None:
        list(self.sweep_overdue(InlinePool(), lambda: True))
        status, last, _ = self.model.expected()
        if status == "InProgress" and last is not None:
            self.model.swept.add(last)

    @invariant()
    def the_record_says_what_was_told(self) -> None:
        item = self.find()
        if not (self.model.registrations or self.model.results):
            assert item == {}
            return
        status, last, note = self.model.expected()
        assert item["status"]["S"] == status
        assert item.get("caller_metadata") == (note and {"M": {"note": {"S": note}}})
        location = item.get("submission", {}).get("M", {}).get("output_location", {}).get("S")
        assert location == (None if last is None else f"{PREFIX}{last}.out")
        in_status_index = status != "Completed" or "output_error" in item
        assert ("status_shard" in item) == in_status_index
        assert ("event_order" in item) == (status != "InProgress")


@pytest.mark.usefixtures("aws")
def test_any_interleaving_leaves_what_the_model_says(table_name):
    machine = type("OnTable", (Interleaving,), {"table_name": table_name})
    run_state_machine_as_test(
        machine, settings=settings(effort(short=12, long=100), stateful_step_count=10)
    )
