"""Writes of one record in any order, on a table and on a model."""

from typing import Any

import boto3
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inference_results.adapters.table.items import from_item
from tests.support.writing import (
    KEY,
    NOTES,
    Reconciliation,
    Registration,
    Result,
    Write,
    Writer,
    actual_record,
    expected_record,
    last_registration,
    reconciled,
    results,
)

INVOCATIONS = st.integers(0, 2)


class Interleaving(RuleBasedStateMachine):
    table_name: str

    def __init__(self) -> None:
        super().__init__()
        self.client = boto3.client("dynamodb")
        self.client.delete_item(TableName=self.table_name, Key=KEY)
        self.writer = Writer(self.client, self.table_name, shards=4)
        self.writes: list[Write] = []
        self.reconciled: set[int] = set()
        """The invocations that reconciliation has ended."""

    def read(self) -> dict[str, Any]:
        response = self.client.get_item(TableName=self.table_name, Key=KEY, ConsistentRead=True)
        return from_item(response.get("Item", {}))

    def expected(self) -> dict[str, Any]:
        record = expected_record(self.writes)
        return reconciled(record) if self.last in self.reconciled else record

    @property
    def last(self) -> int | None:
        """The last registered invocation."""
        registration = last_registration(self.writes)
        return registration and registration.invocation

    def write(self, write: Write) -> None:
        self.writer.write(write)
        self.writes.append(write)

    @rule(registration=st.builds(Registration, INVOCATIONS, NOTES))
    def register(self, registration: Registration) -> None:
        self.write(registration)

    @rule(result=results(INVOCATIONS))
    def record(self, result: Result) -> None:
        self.write(result)

    @rule()
    def reconcile(self) -> None:
        self.writer.write(Reconciliation())
        if self.last is not None and self.expected()["status"] == "InProgress":
            self.reconciled.add(self.last)

    @invariant()
    def the_record_matches_the_model(self) -> None:
        item = self.read()
        assert bool(item) == bool(self.writes)
        assert actual_record(item) == self.expected()
        in_status_index = item.get("status") != "Completed" or "output_error" in item
        assert ("status_shard" in item) == (bool(item) and in_status_index)
        assert ("event_order" in item) == (item.get("status") not in {None, "InProgress"})
