"""How hard the tests that search for mistakes try: a little in the suite, long with `make fuzz`."""

import os
from typing import Final

from hypothesis import HealthCheck, settings

LONG: Final = os.environ.get("EFFORT") == "long"


def effort(short: int, long: int) -> settings:
    """How many examples. Fixtures are made once for all of them."""
    return settings(
        max_examples=long if LONG else short,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
