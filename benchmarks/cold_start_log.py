"""Parse what AWS's runtime emulator and Python's `-X importtime` log during a start."""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_READY: Final = "INIT RTDONE(status: success)"
_INIT_REPORT: Final = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
_IMPORT: Final = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|\s*(\S+)$")


class StartFailed(RuntimeError):
    """The function did not become ready. The message is its log."""


@dataclass(frozen=True, slots=True)
class Import:
    """Import time of a module, with and without the modules that it imports."""

    module: str
    own_ms: float
    with_nested_ms: float


def is_init_report(line: str) -> bool:
    """Return True for the line that ends a start."""
    return _INIT_REPORT.search(line) is not None


def init_ms(log: Iterable[str]) -> float:
    """Return the duration of the start, including the runtime's own. Raise StartFailed."""
    lines = list(log)
    reports = [found[1] for line in lines if (found := _INIT_REPORT.search(line))]
    if not reports or not any(_READY in line for line in lines):
        raise StartFailed("".join(lines))
    return float(reports[0])


def imports(log: Iterable[str]) -> list[Import]:
    """Parse the output of `-X importtime`, slowest module first by its own time."""
    matches = (_IMPORT.match(line) for line in log)
    parsed = [Import(it[3], int(it[1]) / 1000, int(it[2]) / 1000) for it in matches if it]
    return sorted(parsed, key=lambda each: each.own_ms, reverse=True)


def by_package(modules: Iterable[Import]) -> dict[str, float]:
    """Sum milliseconds by top-level package, slowest first. The standard library is `Python`."""
    sums: defaultdict[str, float] = defaultdict(float)
    for each in modules:
        package = each.module.partition(".")[0]
        sums["Python" if package in sys.stdlib_module_names else package] += each.own_ms
    slowest_first = sorted(sums.items(), key=lambda item: item[1], reverse=True)
    return {package: round(own_ms, 1) for package, own_ms in slowest_first}
