"""What AWS's emulator and Python write while a function starts."""

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
    """The function did not become ready; the text is its log."""


@dataclass(frozen=True, slots=True)
class Import:
    """`own_ms` is without what the module imported, `with_nested_ms` with that."""

    module: str
    own_ms: float
    with_nested_ms: float


def is_reported(line: str) -> bool:
    """Whether the start has ended with this line."""
    return _INIT_REPORT.search(line) is not None


def init_ms(log: Iterable[str]) -> float:
    """How long the start took, the runtime's own included. Raises StartFailed."""
    lines = list(log)
    reports = [found[1] for line in lines if (found := _INIT_REPORT.search(line))]
    if not reports or not any(_READY in line for line in lines):
        raise StartFailed("".join(lines))
    return float(reports[0])


def imports(log: Iterable[str]) -> list[Import]:
    """The lines of `-X importtime`, the longest first, by what a module took itself."""
    found = (_IMPORT.match(line) for line in log)
    all_of_them = [Import(it[3], int(it[1]) / 1000, int(it[2]) / 1000) for it in found if it]
    return sorted(all_of_them, key=lambda each: each.own_ms, reverse=True)


def by_package(of: Iterable[Import]) -> dict[str, float]:
    """Milliseconds by top-level package, the longest first; Python's own modules together."""
    sums: defaultdict[str, float] = defaultdict(float)
    for each in of:
        package = each.module.partition(".")[0]
        sums["Python" if package in sys.stdlib_module_names else package] += each.own_ms
    longest_first = sorted(sums.items(), key=lambda item: item[1], reverse=True)
    return {package: round(own_ms, 1) for package, own_ms in longest_first}
