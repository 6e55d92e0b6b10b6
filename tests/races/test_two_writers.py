"""Two writers of one record, against conditional writes that are atomic, and a reference."""

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
from local.environment import LocalFolder
from local.processes import Processes
from tests.conftest import create_table
from tests.deploy.conftest import environment_restored
from tests.effort import effort
from tests.races.interleaving import TURNS, Turn, TwoWriters
from tests.writing import (
    KEY,
    NOTES,
    PRECEDENCE,
    Event,
    Registration,
    Result,
    Sweep,
    Writer,
    expected,
    found,
    last_registration,
    results,
    submitted_at,
    swept,
)

INVOCATIONS = st.integers(0, 1)
EVENTS = (
    st.builds(Registration, INVOCATIONS, NOTES, st.sampled_from(["", "x", "y"]))
    | results(INVOCATIONS)
    | st.builds(Sweep, st.booleans())
)


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[Event], list[Event], list[Turn]]:
    """What each writer does, of events that are few, so that many are done twice."""
    events = draw(st.lists(EVENTS, min_size=2, max_size=4))
    of_one = st.lists(st.sampled_from(events), min_size=1, max_size=2)
    return draw(of_one), draw(of_one), draw(st.lists(st.sampled_from(TURNS), max_size=8))


def work(writer: Writer, events: Sequence[Event]) -> Callable[[], None]:
    def work() -> None:
        for each in events:
            # That the token is one of an invocation before the last.
            with suppress(InvalidParameter):
                writer.write(each)

    return work


@dataclass(frozen=True)
class Race:
    """The record, and who writes it: two who race, and one who is alone."""

    client: Any
    table_name: str
    racing: tuple[Writer, Writer]
    alone: Writer
    two: TwoWriters

    def begin(self) -> None:
        self.client.delete_item(TableName=self.table_name, Key=KEY)

    def found(self) -> dict[str, Any]:
        answer = self.client.get_item(TableName=self.table_name, Key=KEY, ConsistentRead=True)
        return found(from_item(answer.get("Item", {})))


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
                client.close()  # or MiniStack waits for them when it is to end
        finally:
            processes.stop_all()


def result(seconds: int, status: str = "Completed", *, readable: bool = True) -> Result:
    moment = timestamp(submitted_at(0) + timedelta(seconds=seconds))
    return Result(moment, PRECEDENCE[status], status, 0, names_its_place=True, readable=readable)


REGISTERED = ([Registration(0, "a")], [Registration(0, "a")], [])
UNREAD = ([result(5, readable=False)], [result(5, readable=False)], [])


@effort(short=50, long=1_000)
@example([REGISTERED, ([Sweep()], [result(5)], [(0,), (1,)])])
@example([REGISTERED, ([Sweep(finds=True)], [result(5, "Failed")], [(0,), (1,)])])
@example([UNREAD, ([Sweep(finds=True)], [result(6, "Failed")], [(0,), (0,), (1,)])])
@given(st.lists(rounds(), min_size=2, max_size=4))
def test_two_writers_in_any_interleaving_leave_what_the_reference_says(race, several):
    race.begin()
    told: list[Event] = []
    invocation, began = None, 0
    for *events, schedule in several:
        race.two.run(list(map(work, race.racing, events)), schedule)
        before = len(told)
        told += [*events[0], *events[1]]
        record, last = expected(told), last_registration(told)
        if last and last.invocation != invocation:
            invocation, began = last.invocation, before
        # Of what is in progress, a sweep before it was registered is none; one that is overtaken
        # may do nothing.
        since = told[began:] if record["status"] == "InProgress" else told
        admitted = [record, *(swept(record, each) for each in since if isinstance(each, Sweep))]
        assert race.found() in admitted
    race.alone.write(Sweep())
    assert race.found() in [swept(each) for each in admitted]
