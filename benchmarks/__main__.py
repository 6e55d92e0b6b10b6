"""`python -m benchmarks [part ...]` runs benchmarks, prints their tables and saves a summary.

Without arguments it runs all parts but cost. Parts that did not run keep their results.
"""

import importlib
import sys
from itertools import groupby
from typing import Final

from benchmarks import summary
from benchmarks.figures.tables import side_by_side, targets
from benchmarks.measurements import Part, Table

PARTS: Final = ("per_result", "cold_start", "publish_to_readable", "waiting", "lists")
"""Modules of this package with a function `measure`."""


def main(names: list[str]) -> int:
    if unknown := set(names) - set(PARTS):
        sys.stderr.write(f"unknown part: {', '.join(unknown)}; choose from {', '.join(PARTS)}\n")
        return 2
    for name in names or PARTS:
        sys.stderr.write(f"measuring {name}\n")
        part: Part = importlib.import_module(f"benchmarks.{name}").measure()
        for quantity, tables in groupby(sorted(part.tables, key=_quantity), _quantity):
            sys.stdout.write(f"\n{quantity}\n\n{side_by_side(list(tables))}\n")
        sys.stdout.write(f"\n{targets(part.targets)}\n")
        sys.stdout.flush()
        summary.save(name, part)
    return 0


def _quantity(it: Table) -> str:
    return it.title.rpartition(": ")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
