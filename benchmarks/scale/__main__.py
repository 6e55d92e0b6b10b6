"""`python -m benchmarks.scale` calculates the model and prints its tables (docs/scale.md)."""

import sys
from dataclasses import replace
from itertools import product
from typing import Final

from benchmarks.figures.tables import markdown
from benchmarks.measurements import short
from benchmarks.scale.load import RECOMMENDED, Load, Plan
from benchmarks.scale.model import Result, calculate, stream_uses
from benchmarks.scale.partitions import index_heat, list_units
from inference_results.contract import Index

HIGHEST: Final = max(RECOMMENDED)
_SHARDS: Final = (4, 16, 64, 256)
_ENDPOINTS: Final = (1, 10, 100, 1000)
_WARM_WRITES: Final = (64_000, 128_000, 256_000, 512_000)


def main() -> None:
    for rate, registered in product(RECOMMENDED, (False, True)):
        load = Load(rate, registered=registered)
        default, recommended = calculate(load, Plan()), calculate(load, RECOMMENDED[rate])
        title = f"{rate:,} results per second" + (", each registered" if registered else "")
        _print(uses(title, default, recommended))
        _print(f"default: {_first_limit(default)}\nrecommended: {_first_limit(recommended)}")
    for table in (shards(), summaries(), warm_throughput()):
        _print(table)


def uses(title: str, default: Result, recommended: Result) -> str:
    """Show the use of each limit with default and with recommended settings."""
    rows = []
    for before, after in zip(default.uses, recommended.uses, strict=True):
        cells = [
            cell
            for use in (before, after)
            for cell in (f"{short(use.used)} of {short(use.limit)}", f"{use.share:.0%}")
        ]
        rows.append([before.name, *cells, before.raised_by])
    return markdown([title, "default", "share", "recommended", "share", "raised by"], rows)


def _first_limit(it: Result) -> str:
    first = it.first_limit
    over = ", ".join(each.name for each in it.partitions_over_half) or "none"
    return f"first limit: {first.name} ({first.share:.0%}); partitions over half: {over}"


def shards() -> str:
    """Show how shards spread writes, and what lists cost, at the highest load.

    The other settings are those recommended for that load.
    """
    rows = []
    for number in _SHARDS:
        plan = RECOMMENDED[HIGHEST]
        plan = replace(plan, settings={**plan.settings, "shards": number})
        heat = index_heat(Index.BY_ENDPOINT, Load(HIGHEST), plan)
        figures = (heat.key, heat.partition, list_units(number))
        rows.append([str(number), *(f"{each:,.0f}" for each in figures)])
    return markdown(["shards", "hottest key", "hottest partition", "list of 50"], rows)


def summaries() -> str:
    """Show summarize at the highest load: it writes one endpoint after another."""
    rows = []
    for endpoints in _ENDPOINTS:
        stream = stream_uses(Load(HIGHEST, endpoints=endpoints), RECOMMENDED[HIGHEST])
        (share,) = [each.share for each in stream if each.name.startswith("summarize")]
        rows.append([f"{endpoints:,}", f"{share:.0%}"])
    return markdown(["endpoints", "summarize, share of a shard's time"], rows)


def warm_throughput() -> str:
    """Show the hottest partitions of registered inferences, before DynamoDB splits any for heat."""
    rows = []
    for warm_writes, endpoints in product(_WARM_WRITES, (1, 10)):
        plan = replace(RECOMMENDED[HIGHEST], warm_writes=warm_writes)
        load = Load(HIGHEST, registered=True, endpoints=endpoints)
        heat = (f"{index_heat(index, load, plan).partition:,.0f}" for index in Index)
        rows.append([f"{warm_writes:,}", str(endpoints), *heat])
    return markdown(["warm throughput", "endpoints", *Index], rows)


def _print(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")


if __name__ == "__main__":
    main()
