"""`python -m benchmarks [part ...]` runs benchmarks, prints their tables and writes results.json.

Without arguments it runs all parts. Parts that did not run keep their results in the file.
"""

import importlib
import json
import sys
import time
from dataclasses import asdict
from typing import Any, Final

from benchmarks.machine import about
from benchmarks.measurements import Part, markdown
from local.environment import ROOT

RESULTS: Final = ROOT / "benchmarks" / "results.json"
PARTS: Final = ("per_result", "cold_start", "publish_to_readable", "waiting", "lists")
"""Modules of this package with a function `measure`."""


def main(names: list[str]) -> int:
    if unknown := set(names) - set(PARTS):
        sys.stderr.write(f"unknown part: {', '.join(unknown)}; choose from {', '.join(PARTS)}\n")
        return 2
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or PARTS:
        sys.stderr.write(f"measuring {name}\n")
        started = time.monotonic()
        part: Part = importlib.import_module(f"benchmarks.{name}").measure()
        _print(part)
        duration = {"took_seconds": round(time.monotonic() - started)}
        results[name] = {"about": about() | duration, **_as_json(part)}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def _print(part: Part) -> None:
    for table in part.tables:
        sys.stdout.write(f"\n{markdown(table)}\n")
    sys.stdout.write("\n")
    for target in part.targets:
        sys.stdout.write(f"{target}\n")
    sys.stdout.flush()


def _as_json(part: Part) -> dict[str, Any]:
    return {
        "tables": [asdict(each) for each in part.tables],
        "targets": [{**asdict(each), "met": each.met} for each in part.targets],
        "facts": dict(part.facts or {}),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
