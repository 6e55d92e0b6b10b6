"""`python -m benchmarks.cost` counts usage, prints the cost tables and writes cost.json."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.cost.counting_proxy import CountingProxy
from benchmarks.cost.measured_system import MeasuredSystem, Run, Variant
from benchmarks.cost.prices import Item, Prices, read_prices
from benchmarks.cost.reads import WAIT_ON_TABLE, WAIT_OVER_HTTP, WAIT_SECONDS, measure_reads
from benchmarks.cost.s3_polling import INFERENCE_SECONDS, S3_POLLING
from benchmarks.cost.usage import Part, Usage
from benchmarks.local_system import local_system
from benchmarks.machine import about
from benchmarks.measurements import Target
from local.environment import LocalFolder

_COST: Final = Path(__file__).with_name("cost.json")

_RESULTS: Final = {1: 30, 10: 100, 100: 200}
"""The number of results, by batch size."""
_WARMUP_RESULTS: Final = 20

_IN_S3, _INLINE = 4096, 1024
"""Bytes of an output that is only in S3, and of an inline output, with the default settings."""

PLAIN, WITH_EVENTS = "plain", "with events"
_VARIANTS: Final = {
    WITH_EVENTS: Variant(_IN_S3, published=True),
    "plain, inline outputs of 1 KB": Variant(_INLINE),
    "response in the notification, 1 KB": Variant(_INLINE, inline_response=True),
    "with registration": Variant(_IN_S3, registered=True),
}

_LIMIT_USD: Final = 3.0
_TARGET_BATCH: Final = 10

_QUEUES, _POLLERS, _POLL_SECONDS, _MONTH_SECONDS = 2, 5, 20, 730 * 3600
"""Idle mappings poll each queue with five pollers, because the stack sets a maximum concurrency.
docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""


def main() -> int:
    prices = read_prices()
    with local_system() as folder:
        runs, reads = _measure(folder)
    variants = {PLAIN: [_without(run, Part.EVENTS) for run in runs[WITH_EVENTS]], **runs}
    targets = [_target(name, variants[name], prices) for name in variants if name.startswith(PLAIN)]
    waits = _waits(reads)
    idle = _idle_usd(prices)
    _print_tables(variants, reads, waits, prices)
    sys.stdout.write(f"\npollers of two queues: {idle:.2f} USD per month, regardless of load\n")
    for target in targets:
        sys.stdout.write(f"{target}\n")
    cost = {
        "about": about(),
        "prices": {"date": prices.read_on.isoformat(), "region": prices.region},
        "results": [
            {"name": name, "batch": run.batch, "record_bytes": run.record_bytes}
            | _as_json(run.usage, prices)
            for name, of_variant in variants.items()
            for run in of_variant
        ],
        "reads": {name: _as_json(usage, prices) for name, usage in reads.items()},
        "waits": {name: _as_json(usage, prices) for name, usage in waits.items()},
        "idle_usd_per_month": idle,
        "targets": [{**asdict(each), "met": each.met} for each in targets],
    }
    _COST.write_text(json.dumps(cost, indent=1) + "\n")
    return 0


def _measure(folder: LocalFolder) -> tuple[dict[str, list[Run]], dict[str, Usage]]:
    proxy = CountingProxy(folder)
    proxy.start()
    system = MeasuredSystem(folder, proxy)
    _progress("warming up")
    for variant in _VARIANTS.values():
        system.run(replace(variant, published=True), 10, _WARMUP_RESULTS)
    runs: dict[str, list[Run]] = {}
    for name, variant in _VARIANTS.items():
        for batch, number in _RESULTS.items():
            _progress(f"{name}: {number} results in batches of {batch}")
            runs.setdefault(name, []).append(system.run(variant, batch, number))
    _progress("reading records")
    return runs, dict(measure_reads(system))


def _progress(step: str) -> None:
    sys.stderr.write(f"{step}\n")


def _without(run: Run, part: Part) -> Run:
    parts = {name: amounts for name, amounts in run.usage.parts.items() if name != part}
    return replace(run, usage=replace(run.usage, parts=parts))


def _target(name: str, runs: list[Run], prices: Prices) -> Target:
    (run,) = (each for each in runs if each.batch == _TARGET_BATCH)
    usd = sum(run.usage.per_million(prices).values())
    return Target(f"{name}, batch {run.batch}", "USD per million results", _LIMIT_USD, usd)


def _waits(reads: dict[str, Usage]) -> dict[str, Usage]:
    """Return the usage of waiting for an inference, by polling S3 and with this service.

    This service's client waits with consecutive requests.
    """
    waits = {}
    for seconds in INFERENCE_SECONDS:
        for polling in S3_POLLING:
            waits[f"{seconds} s, {polling.name}"] = polling.usage(seconds)
        for name, client in (
            (WAIT_ON_TABLE, "Client on the table"),
            (WAIT_OVER_HTTP, "Client over HTTP"),
        ):
            waits[f"{seconds} s, {client}"] = reads[name].times(seconds / WAIT_SECONDS)
    return waits


def _idle_usd(prices: Prices) -> float:
    requests = _QUEUES * _POLLERS * _MONTH_SECONDS / _POLL_SECONDS
    return requests * prices.usd[Item.SQS_REQUEST]


def _print_tables(
    variants: dict[str, list[Run]],
    reads: dict[str, Usage],
    waits: dict[str, Usage],
    prices: Prices,
) -> None:
    results = [
        (f"{name}, batch {run.batch}", run.usage) for name, runs in variants.items() for run in runs
    ]
    _print_table("USD per million results", results, prices)
    _print_table("USD per million reads", list(reads.items()), prices)
    _print_table("USD per million waits", list(waits.items()), prices)


def _print_table(title: str, rows: list[tuple[str, Usage]], prices: Prices) -> None:
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
