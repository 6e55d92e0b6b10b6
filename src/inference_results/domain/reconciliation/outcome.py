"""How a record was reconciled."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inference_results.contract import Metric, Status


class ReconcileOutcome(StrEnum):
    """How a record was reconciled. Each is counted by its metric."""

    COMPLETED = Metric.RECOVERED_COMPLETED
    FAILED = Metric.RECOVERED_FAILED
    LOST = Metric.LOST
    OUTPUT_READ = Metric.OUTPUT_READ
    OUTPUT_STILL_UNREADABLE = Metric.OUTPUT_STILL_UNREADABLE
    CHANGED = Metric.CHANGED_CONCURRENTLY
    """Its notification arrived at the same time, or its id was submitted again."""
    LEFT = Metric.LEFT_FOR_NEXT_RUN
    """S3 or DynamoDB was unavailable."""
    MALFORMED = Metric.MALFORMED_RECORDS
    """This service did not write the record. Whoever wrote it has to delete it."""


RESULT_STATUSES: Final = {
    ReconcileOutcome.COMPLETED: Status.COMPLETED,
    ReconcileOutcome.FAILED: Status.FAILED,
    ReconcileOutcome.LOST: Status.LOST,
}
"""The status of the result, for each outcome that writes one."""


@dataclass(frozen=True, slots=True)
class ReconciledRecord:
    """How a record was reconciled. Its id and endpoint are None if it is malformed or was left."""

    outcome: ReconcileOutcome
    inference_id: str | None = None
    endpoint_name: str | None = None
