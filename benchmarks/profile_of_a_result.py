"""`python -m benchmarks.profile_of_a_result`: what record_result's processor time is spent on.

By cProfile, one message after another in one thread, against the embedded AWS. Time in a call of
the operating system or of TLS is the clock's: it has waiting in it, so shares leave those out.
"""

import cProfile
import pstats
import sys
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from benchmarks.batches import batch, new_ids, put_output
from benchmarks.per_result import OURS, SMALL, embedded_aws, imported_handlers, run
from local.environment import environment_restored

_BATCHES: Final = 50
_LINES: Final = 40
_WAITING: Final = ("_ssl", "_socket", "_thread.lock", "select", "time.sleep")
_OURS: Final = ("inference_results", "benchmarks")


class _InThisThread:
    """In place of the threads of a batch."""

    def submit(self, settle: Any, message: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(settle(message))
        return future


def main() -> None:
    with environment_restored(), embedded_aws():
        handler = imported_handlers()[OURS]
        sys.modules[handler.__module__]._settle._pool = _InThisThread()
        key = put_output(SMALL)
        events = [batch(new_ids(10), key) for _ in range(_BATCHES)]
        run(handler, events[:5])
        profile = cProfile.Profile()
        profile.runcall(run, handler, events[5:])
    found = pstats.Stats(profile)
    _tell_shares(found)
    found.strip_dirs().sort_stats("tottime").print_stats(_LINES)


def _tell_shares(found: pstats.Stats) -> None:
    seconds: Counter[str] = Counter()
    for (file, _, function), (_, _, own, _, _) in found.stats.items():  # type: ignore[attr-defined]
        if not any(each in function for each in _WAITING):
            seconds[_library(file)] += own
    total = sum(seconds.values())
    sys.stdout.write("share of the time of Python's own, without waiting:\n")
    for library, own in seconds.most_common(12):
        sys.stdout.write(f"{100 * own / total:5.1f} %  {library}\n")


def _library(file: str) -> str:
    parts = Path(file).parts
    if len(parts) < 2:
        return "functions that are built in"
    if ours := [each for each in _OURS if each in parts]:
        return ours[0]
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    return f"standard library: {Path(file).stem if parts[-2].startswith('python') else parts[-2]}"


if __name__ == "__main__":
    main()
