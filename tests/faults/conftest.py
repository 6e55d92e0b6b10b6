"""A separate local system for this suite, and a report at the end of the run."""

import pytest

from tests.deploy.conftest import folder, system

__all__ = ["folder", "system"]

REPORT = pytest.StashKey[list[str]]()


def pytest_configure(config):
    config.stash[REPORT] = []


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[REPORT]:
        terminalreporter.write_line(line)
