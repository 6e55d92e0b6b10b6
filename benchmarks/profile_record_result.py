"""`python -m benchmarks.profile_record_result` profiles the CPU time of record_result.

It runs cProfile with one thread on the embedded AWS. The time of system and TLS calls includes
waiting, so the shares by library exclude it.
"""

import cProfile
import pstats
import sys
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from benchmarks.batches import batch, new_ids, put_output
from benchmarks.per_result import OURS, SMALL, embedded_aws, import_handlers, run
from local.environment import environment_restored

_BATCHES: Final = 50
_LINES: Final = 40
_WAITING: Final = ("_ssl", "_socket", "_thread.lock", "select", "time.sleep")
_OUR_PACKAGES: Final = ("inference_results", "functions", "benchmarks")


class _SameThread:
    """Replaces the thread pool of the batch processor."""

    def submit(self, process: Any, message: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(process(message))
        return future


def main() -> None:
    with environment_restored(), embedded_aws():
        handler = import_handlers()[OURS]
        module = sys.modules[handler.__module__]
        processor_type = sys.modules["functions.event_sources.sqs_batch"].BatchProcessor
        (processor,) = (it for it in vars(module).values() if isinstance(it, processor_type))
        processor._pool = _SameThread()
        key = put_output(SMALL)
        events = [batch(new_ids(10), key) for _ in range(_BATCHES)]
        run(handler, events[:5])
        profile = cProfile.Profile()
        profile.runcall(run, handler, events[5:])
    stats = pstats.Stats(profile)
    _print_shares(stats)
    stats.strip_dirs().sort_stats("tottime").print_stats(_LINES)


def _print_shares(stats: pstats.Stats) -> None:
    seconds: Counter[str] = Counter()
    for (file, _, function), (_, _, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        if not any(each in function for each in _WAITING):
            seconds[_library(file)] += own
    total = sum(seconds.values())
    sys.stdout.write("share of own time, without waiting:\n")
    for library, own in seconds.most_common(12):
        sys.stdout.write(f"{100 * own / total:5.1f} %  {library}\n")


def _library(file: str) -> str:
    parts = Path(file).parts
    if len(parts) < 2:
        return "built-in functions"
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    if ours := [each for each in _OUR_PACKAGES if each in parts]:
        return ours[0]
    return f"standard library: {Path(file).stem if parts[-2].startswith('python') else parts[-2]}"


if __name__ == "__main__":
    main()
