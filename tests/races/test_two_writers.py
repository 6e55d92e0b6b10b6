"""Two writers of one record, against conditional writes that are atomic, and a small model."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.adapters.dynamodb import InferencesTable
from inference_results.adapters.items import plain
from inference_results.adapters.overdue import OverdueRecords
from inference_results.adapters.submissions import SubmissionsTable
from inference_results.domain.errors import InvalidParameter
from inference_results.domain.registering import RegisterInvocation
from inference_results.domain.sweeping import SweepOverdue
from inference_results.domain.timestamp import timestamp
from local.embedded_aws import start_embedded_aws
from local.environment import LocalFolder
from local.processes import Processes
from tests.conftest import create_table
from tests.deploy.conftest import environment_restored
from tests.effort import effort
from tests.fakes import NOW, World
from tests.pools import InlinePool
from tests.races.interleaving import TURNS, Turn, TwoWriters
from tests.samples import PREFIX, body, completed, failed

START = datetime(2026, 1, 1, tzinfo=UTC)
RETENTION = timedelta(days=90)
KEY = {"inference_id": {"S": "inference-1"}, "endpoint_name": {"S": "here"}}
PRECEDENCE = {"Completed": 4, "Failed": 3, "Expired": 2}
INVOCATIONS = st.integers(0, 1)


def submitted_at(invocation: int) -> datetime:
    """An id is used again after the time by which clocks may differ."""
    return START + timedelta(hours=2 * invocation)


@dataclass(frozen=True, order=True)
class Registration:
    invocation: int
    note: str
    token: str = ""

    def told(self) -> dict[str, Any]:
        """In the order of the notes, so that the model need not know digests."""
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
    pass


Deed = Registration | Result | Sweep


@st.composite
def results(draw: st.DrawFn) -> Result:
    invocation = draw(INVOCATIONS)
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


REGISTRATIONS = st.builds(
    Registration, INVOCATIONS, st.sampled_from("ab"), st.sampled_from(["", "x", "y"])
)


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[Deed], list[Deed], list[Turn]]:
    """What each writer does, of deeds that are few, so that many are done twice."""
    deeds = draw(st.lists(REGISTRATIONS | results() | st.just(Sweep()), min_size=2, max_size=4))
    of_one = st.lists(st.sampled_from(deeds), min_size=1, max_size=2)
    return draw(of_one), draw(of_one), draw(st.lists(st.sampled_from(TURNS), max_size=8))


def expected(deeds: Sequence[Deed]) -> dict[str, Any]:
    """The reference: what is recorded once all of this was told, in whatever order."""
    registrations = [each for each in deeds if isinstance(each, Registration)]
    last = max(registrations, default=None)
    of_last = [each for each in registrations if last and each.invocation == last.invocation]
    of_it_or_later = [
        each
        for each in deeds
        if isinstance(each, Result) and (last is None or each.invocation >= last.invocation)
    ]
    result = max(of_it_or_later, default=None)
    in_progress = "InProgress" if last else None
    return {
        "status": result.status if result else in_progress,
        "event_time": result and result.event_time,
        "unread": bool(result and result.status == "Completed" and not result.readable),
        "note": last and last.note,
        "place": last and f"{PREFIX}{last.invocation}.out",
        "tokens": {each.token for each in of_last if each.token},
    }


def found(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": item.get("status"),
        "event_time": item.get("event_time") if item.get("status") != "Lost" else None,
        "unread": "output_error" in item,
        "note": item.get("caller_metadata", {}).get("note"),
        "place": item.get("submission", {}).get("output_location"),
        "tokens": item.get("task_tokens", set()),
    }


def swept(record: dict[str, Any]) -> dict[str, Any]:
    """What a sweep makes of it."""
    return record | ({"status": "Lost"} if record["status"] == "InProgress" else {})


class Writer:
    """The use cases that write records, over one client."""

    def __init__(self, client: Any, table_name: str) -> None:
        table = (client, table_name, 1)
        self._records = InferencesTable(*table)
        self._register = RegisterInvocation(
            registrations=SubmissionsTable(*table),
            answers_tasks=True,
            retention=RETENTION,
            now=lambda: NOW,
        )
        self._sweep = SweepOverdue(
            overdue=OverdueRecords(*table),
            records=self._records,
            read=World(records=self._records).read,
            retention=RETENTION,
            slack=timedelta(),
            # So that outputs that could not be read are looked at again.
            now=lambda: NOW + timedelta(minutes=1),
        )

    def work(self, deeds: Sequence[Deed]) -> Callable[[], None]:
        def work() -> None:
            for each in deeds:
                self._do(each)

        return work

    def _do(self, deed: Deed) -> None:
        match deed:
            case Registration():
                # That the token is one of an invocation before the last.
                with suppress(InvalidParameter):
                    self._register("inference-1", deed.told())
            case Result():
                world = World(records=self._records)
                if deed.readable:
                    world.objects.stored[f"{PREFIX}{deed.invocation}.out"] = b"output"
                world.settle(deed.told(), receive_count=3)
            case Sweep():
                list(self._sweep(InlinePool(), lambda: True))


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
        return found(plain(answer.get("Item", {})))


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
            one, other, alone = (Writer(client, name) for client in clients)
            with TwoWriters(clients[:2]) as two:
                yield Race(clients[2], name, (one, other), alone, two)
            for client in clients:
                client.close()  # or MiniStack waits for them when it is to end
        finally:
            processes.stop_all()


@effort(short=50, long=1_000)
@given(st.lists(rounds(), min_size=2, max_size=4))
def test_two_writers_in_any_interleaving_leave_what_the_reference_says(race, several):
    race.begin()
    told: list[Deed] = []
    for *deeds, schedule in several:
        race.two.run([w.work(d) for w, d in zip(race.racing, deeds, strict=True)], schedule)
        told += [*deeds[0], *deeds[1]]
        record = expected(told)
        # A sweep that is overtaken may do nothing.
        admitted = [record, swept(record)] if Sweep() in told else [record]
        assert race.found() in admitted
    race.alone.work([Sweep()])()
    assert race.found() == swept(expected(told))
