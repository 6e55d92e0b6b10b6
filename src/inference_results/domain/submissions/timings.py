"""How long the steps of a submission take, and how often they are tried.

The times depend on each other, and on the timeouts of the adapters.
"""

from typing import Final

DELAY_SECONDS: Final = 0.2
"""Between two polls of the record, and between two tries."""

MAX_TRIES: Final = 2
"""Tries to write SageMaker's response, and to withdraw an attempt.

Without the response, reconciliation does not know where the output is. An attempt that remains
counts as one that may have invoked.
"""

INVOKING_SECONDS: Final = 20
"""By then, an invoking caller has SageMaker's response or never will: two calls, 19 s at most."""

WITHDRAWING_SECONDS: Final = 35
"""By then, no caller withdraws its attempt any more: two tries take 15 s, after the two calls."""
