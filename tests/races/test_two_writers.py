"""Two writers of one record on the embedded AWS, whose conditional writes are atomic."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_results.adapters.table.items import from_item
from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.timestamps import timestamp
from local.embedded_aws import start_embedded_aws
from local.environment import LocalFolder, environment_restored
from local.processes import Processes
from tests.races.interleaving import TURNS, Turn, TwoWriters
from tests.support.effort import effort
from tests.support.tables import create_table
from tests.support.writing import (
    KEY,
    NOTES,
    PRECEDENCE,
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
    submitted_at,
)

INVOCATIONS = st.integers(0, 1)
WRITES = (
    st.builds(Registration, INVOCATIONS, NOTES, st.sampled_from(["", "x", "y"]))
    | results(INVOCATIONS)
    | st.builds(Reconciliation, st.booleans())
)


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[Write], list[Write], list[Turn]]:
    """The writes of each writer and a schedule. Few different writes, so many are duplicates."""
    writes = draw(st.lists(WRITES, min_size=2, max_size=4))
    of_one_writer = st.lists(st.sampled_from(writes), min_size=1, max_size=2)
    schedule = st.lists(st.sampled_from(TURNS), max_size=8)
    return draw(of_one_writer), draw(of_one_writer), draw(schedule)


def task(writer: Writer, writes: Sequence[Write]) -> Callable[[], None]:
    def task() -> None:
        for each in writes:
            # Raised for a token of an invocation before the last one.
            with suppress(InvalidParameter):
                writer.write(each)

    return task


@dataclass(frozen=True)
class Race:
    """A record, two writers that race, and one that writes alone."""

    client: Any
    table_name: str
    racing: tuple[Writer, Writer]
    alone: Writer
    two: TwoWriters

    def delete_record(self) -> None:
        self.client.delete_item(TableName=self.table_name, Key=KEY)

    def record(self) -> dict[str, Any]:
        response = self.client.get_item(TableName=self.table_name, Key=KEY, ConsistentRead=True)
        return actual_record(from_item(response.get("Item", {})))


@pytest.fixture(scope="module")
def race(template, tmp_path_factory):
    folder = LocalFolder(tmp_path_factory.mktemp("races"))
    processes = Processes(folder.path)
    with environment_restored():
        try:
            start_embedded_aws(folder, processes)
            folder.enter()
            name = create_table(template, "inferences")
            clients = [boto3.client("dynamodb") for _ in range(3)]
            one, other, alone = (Writer(client, name, shards=1) for client in clients)
            with TwoWriters(clients[:2]) as two:
                yield Race(clients[2], name, (one, other), alone, two)
            for client in clients:
                client.close()  # otherwise MiniStack waits for them when it stops
        finally:
            processes.stop_all()


def result(seconds: int, status: str = "Completed", *, is_readable: bool = True) -> Result:
    time = timestamp(submitted_at(0) + timedelta(seconds=seconds))
    return Result(time, PRECEDENCE[status], status, 0, has_location=True, is_readable=is_readable)


REGISTERED = ([Registration(0, "a")], [Registration(0, "a")], [])
UNREAD = ([result(5, is_readable=False)], [result(5, is_readable=False)], [])
FINDS_OUTPUT = Reconciliation(finds_output=True)


@effort(short=50, long=1_000)
@example([REGISTERED, ([Reconciliation()], [result(5)], [(0,), (1,)])])
@example([REGISTERED, ([FINDS_OUTPUT], [result(5, "Failed")], [(0,), (1,)])])
@example([UNREAD, ([FINDS_OUTPUT], [result(6, "Failed")], [(0,), (0,), (1,)])])
@given(st.lists(rounds(), min_size=2, max_size=4))
def test_two_racing_writers_leave_the_record_of_the_model(race, several):
    race.delete_record()
    written: list[Write] = []
    invocation, registered_at = None, 0
    for *writes, schedule in several:
        race.two.run(list(map(task, race.racing, writes)), schedule)
        before = len(written)
        written += [*writes[0], *writes[1]]
        record, last = expected_record(written), last_registration(written)
        if last and last.invocation != invocation:
            invocation, registered_at = last.invocation, before
        # Reconciliation before the registration does not end the record. Later, a concurrent write
        # can overtake it, and then it may have no effect.
        since = written[registered_at:] if record["status"] == "InProgress" else written
        reconciliations = [each for each in since if isinstance(each, Reconciliation)]
        allowed = [record, *(reconciled(record, each) for each in reconciliations)]
        assert race.record() in allowed
    race.alone.write(Reconciliation())
    assert race.record() in [reconciled(each) for each in allowed]
