"""`python -m benchmarks [part ...]`: measure, print the tables, and write results.json.

Without a part all of them run. A part that ran replaces what results.json had of it.
"""

import importlib
import json
import sys
import time
from dataclasses import asdict
from typing import Any, Final

from benchmarks.machine import about
from benchmarks.measured import Part, markdown
from local.environment import ROOT

RESULTS: Final = ROOT / "benchmarks" / "results.json"
PARTS: Final = ("per_result", "cold_start", "readable", "waiting", "lists")
"""Modules of this package, each with a function `measure`."""


def main(names: list[str]) -> int:
    if unknown := set(names) - set(PARTS):
        sys.stderr.write(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}\n")
        return 2
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or PARTS:
        sys.stderr.write(f"measuring: {name}\n")
        began = time.monotonic()
        part: Part = importlib.import_module(f"benchmarks.{name}").measure()
        _tell(part)
        took = {"took_seconds": round(time.monotonic() - began)}
        results[name] = {"about": about() | took, **_as_json(part)}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def _tell(part: Part) -> None:
    for each in part.tables:
        sys.stdout.write(f"\n{markdown(each)}\n")
    sys.stdout.write("\n")
    for target in part.targets:
        sys.stdout.write(f"{target}\n")
    sys.stdout.flush()


def _as_json(part: Part) -> dict[str, Any]:
    targets = [{**asdict(each), "met": each.met} for each in part.targets]
    return {
        "tables": [asdict(each) for each in part.tables],
        "targets": targets,
        "facts": dict(part.facts or {}),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
