"""The ports of reconciliation."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from inference_results.domain.record.result import Output, Result


class OverdueRecords(Protocol):
    """The records to reconcile, as pages of complete items. Each page is read when it is needed."""

    def in_progress(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Records in progress with a deadline before a time. Raises Unavailable."""

    def unread(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Records whose unread output is due for a read before a time. Raises Unavailable."""


class UnnotifiedResults(Protocol):
    """The inferences table, for overdue records."""

    def finish(self, result: Result, submission_order: str) -> bool:
        """Write a result if the record is still in progress with the same submission.

        Raises Unavailable.
        """


class UnreadOutputs(Protocol):
    """The inferences table, for unread outputs."""

    def add_output(
        self, inference_id: str, endpoint_name: str, event_order: str, output: Output
    ) -> bool:
        """Write an output if the record still has the same result. Raises Unavailable."""

    def schedule_read(
        self, inference_id: str, endpoint_name: str, event_order: str, at: str | None
    ) -> None:
        """Schedule the next read of an output; None for never. Raises Unavailable."""
