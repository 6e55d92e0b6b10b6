"""How many examples property-based tests try: few by default, many with `make fuzz`."""

import os
from typing import Final

from hypothesis import HealthCheck, settings

LONG: Final = os.environ.get("EFFORT") == "long"


def effort(short: int, long: int) -> settings:
    """Hypothesis settings. Fixtures are created once for all examples."""
    return settings(
        max_examples=long if LONG else short,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
