"""Reconcile many records: within memory, and within the function's time."""

import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from inference_results.domain.reconciliation.end_overdue import EndOverdueRecord
from inference_results.domain.reconciliation.outcome import ReconcileOutcome
from inference_results.domain.reconciliation.read_unread import ReadUnreadOutput
from inference_results.domain.reconciliation.reconcile import ReconcileRecords
from inference_results.domain.record.errors import Unavailable
from tests.support.fakes import NOW, World

PAGE = 100


class FakeTable:
    """Overdue records. Each page is created when it is read."""

    def __init__(self, records: int) -> None:
        self.finished: set[str] = set()
        self.pages_read = 0
        self.unavailable = False
        self._records = records

    def in_progress(self, before: str) -> Iterator[list[dict[str, Any]]]:
        page = []
        for number in range(self._records):
            if str(number) not in self.finished:
                page.append(_overdue(str(number)))
            if len(page) == PAGE:
                self.pages_read += 1
                yield page
                page = []
        yield page

    def unread(self, before: str) -> Iterator[list[dict[str, Any]]]:
        yield []

    def finish(self, result: Any, submission_order: str) -> bool:
        if self.unavailable:
            raise Unavailable("dynamodb", "ThrottlingException")
        assert result.inference_id not in self.finished
        self.finished.add(result.inference_id)
        return True


def _overdue(inference_id: str) -> dict[str, Any]:
    """A record with large metadata and custom attributes."""
    return {
        "inference_id": inference_id,
        "endpoint_name": "speech",
        "status": "InProgress",
        "submitted_at": "2026-01-25T00:00:00.000Z",
        "deadline": "2026-01-25T06:15:00.000Z",
        "custom_attributes": inference_id.rjust(1024, "x"),
        "caller_metadata": {"note": inference_id.rjust(4000, "x")},
        "submission": {
            "order": "2026",
            "output_location": f"s3://customer-outputs/async/{inference_id}.out",
        },
    }


def run(table: FakeTable, pool: Any, has_time: Any) -> Counter[ReconcileOutcome]:
    read, now = World().read, lambda: NOW
    reconcile = ReconcileRecords(
        overdue=table,
        end_overdue=EndOverdueRecord(
            records=table, read=read, retention=timedelta(days=90), now=now
        ),
        read_unread=ReadUnreadOutput(
            records=table,  # type: ignore[arg-type] # no unread outputs
            read=read,
            now=now,
        ),
        slack=timedelta(),
        now=now,
    )
    return Counter(each.outcome for each in reconcile(pool, has_time))


@pytest.fixture
def pool():
    with ThreadPoolExecutor(10) as pool:
        yield pool


@pytest.fixture
def usual_garbage_collection():
    """Collect garbage as often as Python does by default."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("usual_garbage_collection")
def test_ten_thousand_overdue_records_take_the_memory_of_a_few_pages(pool):
    table = FakeTable(10_000)
    tracemalloc.start()
    try:
        assert run(table, pool, lambda: True) == {ReconcileOutcome.LOST: 10_000}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table.finished) == 10_000
    # All records at once would take 60 MB.
    assert peak < 6_000_000


def test_a_run_ends_in_time_and_the_next_one_continues(pool):
    table = FakeTable(10_000)
    total = Counter[ReconcileOutcome]()
    for _ in range(4):
        calls = iter(range(3_000))
        total += run(table, pool, lambda calls=calls: next(calls, None) is not None)
    assert total == {ReconcileOutcome.LOST: 10_000}
    assert len(table.finished) == 10_000


def test_no_page_is_read_when_the_time_is_over(pool):
    table = FakeTable(1_000)
    assert run(table, pool, lambda: False) == {}
    assert (table.pages_read, table.finished) == (1, set())


def test_records_are_left_for_the_next_run_if_the_table_throttles(pool):
    table = FakeTable(150)
    table.unavailable = True
    assert run(table, pool, lambda: True) == {ReconcileOutcome.LEFT: 150}
    table.unavailable = False
    assert run(table, pool, lambda: True) == {ReconcileOutcome.LOST: 150}
