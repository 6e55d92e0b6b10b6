"""`python -m benchmarks.cost`: count, print the tables, and write cost.json."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.cost.alternatives import ALTERNATIVES, INFERENCE_SECONDS
from benchmarks.cost.counting_proxy import CountingProxy
from benchmarks.cost.prices import Item, Prices, read_prices
from benchmarks.cost.reads import WAIT_ON_TABLE, WAIT_OVER_API, WAIT_SECONDS, reads
from benchmarks.cost.runs import Run, Stage, Variant
from benchmarks.cost.usage import Part, Usage
from benchmarks.local_system import local_system
from benchmarks.machine import about
from benchmarks.measured import Target
from local.environment import LocalFolder

_COST: Final = Path(__file__).with_name("cost.json")

_RESULTS: Final = {1: 30, 10: 100, 100: 200}
"""How many are sent, by how many are in a batch."""
_WARMING_UP: Final = 20

_IN_S3, _IN_RECORD = 4096, 1024
"""Bytes of an output that stays in S3, and of one that its record holds too, by the defaults."""

PLAIN, ANNOUNCED = "plain", "with events"
_VARIANTS: Final = {
    ANNOUNCED: Variant(_IN_S3, announced=True),
    "plain, 1 KB outputs kept in the record": Variant(_IN_RECORD),
    "with inline responses of 1 KB": Variant(_IN_RECORD, response_in_notice=True),
    "with registration": Variant(_IN_S3, registered=True),
}

_LIMIT_USD: Final = 3.0
_TARGET_BATCH: Final = 10

_QUEUES, _POLLERS, _POLL_SECONDS, _MONTH_SECONDS = 2, 5, 20, 730 * 3600
"""docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html: five at a time, fewer only where
there is no maximum concurrency, which the stack sets."""


def main() -> int:
    prices = read_prices()
    with local_system() as folder:
        runs, asked = _measured(folder)
    lines = {PLAIN: [_without(run, Part.EVENTS) for run in runs[ANNOUNCED]], **runs}
    targets = [_target(name, lines[name], prices) for name in lines if name.startswith(PLAIN)]
    waits = _waits(asked)
    idle = _idle_usd(prices)
    _tell(lines, asked, waits, prices)
    sys.stdout.write(f"\npollers of two queues: {idle:.2f} USD a month, with or without results\n")
    for target in targets:
        sys.stdout.write(f"{target}\n")
    found = {
        "about": about(),
        "prices": {"date": prices.read_on.isoformat(), "region": prices.region},
        "results": [
            {"name": name, "batch": run.batch, "record_bytes": run.record_bytes}
            | _as_json(run.usage, prices)
            for name, of_name in lines.items()
            for run in of_name
        ],
        "reads": {name: _as_json(usage, prices) for name, usage in asked.items()},
        "waits": {name: _as_json(usage, prices) for name, usage in waits.items()},
        "idle_usd_per_month": idle,
        "targets": [{**asdict(each), "met": each.met} for each in targets],
    }
    _COST.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def _measured(folder: LocalFolder) -> tuple[dict[str, list[Run]], dict[str, Usage]]:
    proxy = CountingProxy(folder)
    proxy.start()
    stage = Stage(folder, proxy)
    _progress("warming up")
    for variant in _VARIANTS.values():
        stage.run(replace(variant, announced=True), 10, _WARMING_UP)
    runs: dict[str, list[Run]] = {}
    for name, variant in _VARIANTS.items():
        for batch, number in _RESULTS.items():
            _progress(f"{name}: {number} results in batches of {batch}")
            runs.setdefault(name, []).append(stage.run(variant, batch, number))
    _progress("asking for records")
    return runs, dict(reads(stage))


def _progress(step: str) -> None:
    sys.stderr.write(f"{step}\n")


def _without(run: Run, part: Part) -> Run:
    parts = {name: amounts for name, amounts in run.usage.parts.items() if name != part}
    return replace(run, usage=replace(run.usage, parts=parts))


def _target(name: str, runs: list[Run], prices: Prices) -> Target:
    (run,) = (each for each in runs if each.batch == _TARGET_BATCH)
    usd = sum(run.usage.per_million(prices).values())
    return Target(f"{name}, batch {run.batch}", "USD per million results", _LIMIT_USD, usd)


def _waits(asked: dict[str, Usage]) -> dict[str, Usage]:
    """Until an inference has ended, by S3, and by this service: one question after the other."""
    waits = {}
    for seconds in INFERENCE_SECONDS:
        for each in ALTERNATIVES:
            waits[f"{seconds} s, {each.name}"] = each.usage(seconds)
        for name, where in ((WAIT_ON_TABLE, "on the table"), (WAIT_OVER_API, "over the API")):
            usage = asked[name].times(seconds / WAIT_SECONDS)
            waits[f"{seconds} s, this client {where}"] = usage
    return waits


def _idle_usd(prices: Prices) -> float:
    requests = _QUEUES * _POLLERS * _MONTH_SECONDS / _POLL_SECONDS
    return requests * prices.usd[Item.SQS_REQUEST]


def _tell(
    lines: dict[str, list[Run]],
    asked: dict[str, Usage],
    waits: dict[str, Usage],
    prices: Prices,
) -> None:
    results = [
        (f"{name}, batch {run.batch}", run.usage) for name, runs in lines.items() for run in runs
    ]
    _table("USD per million results", results, prices)
    _table("USD per million reads", list(asked.items()), prices)
    _table("USD per million inferences that are waited for", list(waits.items()), prices)


def _table(title: str, rows: list[tuple[str, Usage]], prices: Prices) -> None:
    priced = [(name, usage.per_million(prices)) for name, usage in rows]
    parts = [part for part in Part if any(part in of_row for _, of_row in priced)]
    write = sys.stdout.write
    write(f"\n| {title} | {' | '.join(parts)} | total |\n|---|{'---:|' * (len(parts) + 1)}\n")
    for name, usd in priced:
        cells = [f"{usd[part]:.3f}" if part in usd else "" for part in parts]
        write(f"| {name} | {' | '.join(cells)} | {sum(usd.values()):.2f} |\n")


def _as_json(usage: Usage, prices: Prices) -> dict[str, Any]:
    usd = usage.per_million(prices)
    return {
        "counted": usage.number,
        "per_thousand": usage.per_thousand(),
        "usd_per_million": {**usd, "total": sum(usd.values())},
    }


if __name__ == "__main__":
    sys.exit(main())
