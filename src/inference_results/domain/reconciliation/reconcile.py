"""Reconcile all overdue records, then all unread outputs, within a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inference_results.domain.reconciliation.end_overdue import EndOverdueRecord
from inference_results.domain.reconciliation.outcome import ReconciledRecord, ReconcileOutcome
from inference_results.domain.reconciliation.ports import OverdueRecords
from inference_results.domain.reconciliation.read_unread import ReadUnreadOutput
from inference_results.domain.record.errors import MalformedRecord, Unavailable
from inference_results.domain.record.timestamps import timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRecords:
    """Reconciles page by page. `slack`: how long after its deadline a record becomes overdue."""

    overdue: OverdueRecords
    end_overdue: EndOverdueRecord
    read_unread: ReadUnreadOutput
    slack: timedelta
    now: Callable[[], datetime]

    def __call__(self, pool: Executor, has_time: Callable[[], bool]) -> Iterator[ReconciledRecord]:
        """Yield each record when it is reconciled. Raises Unavailable.

        Starts no record once `has_time` returns False. Reconciled records are no longer overdue,
        so the next call continues where this one ended.
        """
        now = self.now()
        for pages, reconcile in (
            (self.overdue.in_progress(timestamp(now - self.slack)), self.end_overdue),
            (self.overdue.unread(timestamp(now)), self.read_unread),
        ):
            for page in pages:
                reconciled = pool.map(_while_time(reconcile, has_time), page)
                yield from (each for each in reconciled if each is not None)
                if not has_time():
                    return


def _while_time(
    reconcile: Callable[[dict[str, Any]], ReconciledRecord], has_time: Callable[[], bool]
) -> Callable[[dict[str, Any]], ReconciledRecord | None]:
    def reconcile_while_time(item: dict[str, Any]) -> ReconciledRecord | None:
        if not has_time():
            return None
        try:
            return reconcile(item)
        except MalformedRecord:
            return ReconciledRecord(ReconcileOutcome.MALFORMED)
        except Unavailable:
            return ReconciledRecord(ReconcileOutcome.LEFT)

    return reconcile_while_time
