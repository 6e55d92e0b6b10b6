"""How many examples property-based tests try.

`make unit` tries few, `make test` more, `make fuzz` many.
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings

_EFFORT: Final = os.environ.get("EFFORT")
LONG: Final = _EFFORT == "long"
_QUICK: Final = _EFFORT == "quick"
_QUICK_SHARE: Final = 4
_DEFAULT_EXAMPLES: Final = 100
"""Hypothesis's own default."""


def effort(short: int, long: int) -> settings:
    """Hypothesis settings. Fixtures are created once for all examples."""
    return settings(
        max_examples=long if LONG else _scaled(short),
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


def load_profile() -> None:
    """Set what applies to every property-based test, before any is collected."""
    # Without deadlines: a busy machine must not fail a test.
    settings.register_profile("ours", deadline=None, max_examples=_scaled(_DEFAULT_EXAMPLES))
    settings.load_profile("ours")


def _scaled(examples: int) -> int:
    return max(examples // _QUICK_SHARE, 1) if _QUICK else examples
