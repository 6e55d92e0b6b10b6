"""A change of a record, as the table's stream reports it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_SEQUENCE_DIGITS: Final = 40
"""DynamoDB's sequence numbers have at most 40 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A record before and after one write, in Python values; None where no record existed."""

    sequence: str
    """The stream's SequenceNumber."""
    made_at: int
    """When the write was made, in epoch seconds."""
    before: Mapping[str, Any] | None = field(repr=False)
    after: Mapping[str, Any] | None = field(repr=False)

    @property
    def sort_key(self) -> str:
        """The sequence number, padded so that it sorts as text."""
        return self.sequence.zfill(_SEQUENCE_DIGITS)
