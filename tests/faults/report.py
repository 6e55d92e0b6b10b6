"""The lines that the run prints at its end."""

import pytest

REPORT = pytest.StashKey[list[str]]()
