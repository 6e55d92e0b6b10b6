"""Registrations, results and sweeps of one id, in any order and number, against a reference."""

from typing import Any

import boto3
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from inference_results.adapters.table.items import from_item
from tests.effort import effort
from tests.writing import (
    KEY,
    NOTES,
    Event,
    Registration,
    Result,
    Sweep,
    Writer,
    expected,
    found,
    last_registration,
    results,
    swept,
)

INVOCATIONS = st.integers(0, 2)


class Interleaving(RuleBasedStateMachine):
    table_name: str

    def __init__(self) -> None:
        super().__init__()
        self.client = boto3.client("dynamodb")
        self.client.delete_item(TableName=self.table_name, Key=KEY)
        self.writer = Writer(self.client, self.table_name, shards=4)
        self.events: list[Event] = []
        self.swept: set[int] = set()

    def find(self) -> dict[str, Any]:
        answer = self.client.get_item(TableName=self.table_name, Key=KEY, ConsistentRead=True)
        return from_item(answer.get("Item", {}))

    def expected(self) -> dict[str, Any]:
        record = expected(self.events)
        return swept(record) if self.last in self.swept else record

    @property
    def last(self) -> int | None:
        """The invocation that was registered last."""
        registration = last_registration(self.events)
        return registration and registration.invocation

    def write(self, event: Event) -> None:
        self.writer.write(event)
        self.events.append(event)

    @rule(registration=st.builds(Registration, INVOCATIONS, NOTES))
    def registered(self, registration: Registration) -> None:
        self.write(registration)

    @rule(result=results(INVOCATIONS))
    def result(self, result: Result) -> None:
        self.write(result)

    @rule()
    def sweep(self) -> None:
        self.writer.write(Sweep())
        if self.last is not None and self.expected()["status"] == "InProgress":
            self.swept.add(self.last)

    @invariant()
    def the_record_says_what_was_told(self) -> None:
        item = self.find()
        assert bool(item) == bool(self.events)
        assert found(item) == self.expected()
        in_status_index = item.get("status") != "Completed" or "output_error" in item
        assert ("status_shard" in item) == (bool(item) and in_status_index)
        assert ("event_order" in item) == (item.get("status") not in {None, "InProgress"})


@pytest.mark.usefixtures("aws")
def test_any_interleaving_leaves_what_the_model_says(table_name):
    machine = type("OnTable", (Interleaving,), {"table_name": table_name})
    run_state_machine_as_test(
        machine, settings=settings(effort(short=12, long=100), stateful_step_count=10)
    )
