"""A separate local system for this suite, and a report at the end of the run."""

from tests.faults.report import REPORT
from tests.support.local_system import folder, system

__all__ = ["folder", "system"]


def pytest_configure(config):
    config.stash[REPORT] = []


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[REPORT]:
        terminalreporter.write_line(line)
