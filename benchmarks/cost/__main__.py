"""`python -m benchmarks.cost` counts usage, prints the cost tables and saves a summary."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from benchmarks import summary
from benchmarks.cost.counting_proxy import CountingProxy
from benchmarks.cost.measured_system import MeasuredSystem, Variant
from benchmarks.cost.prices import Item, Prices, read_prices
from benchmarks.cost.reads import WAIT_ON_TABLE, WAIT_OVER_HTTP, WAIT_SECONDS, measure_reads
from benchmarks.cost.s3_polling import INFERENCE_SECONDS, S3_POLLING
from benchmarks.cost.usage import Amounts, Part, Usage
from benchmarks.figures.tables import priced, targets
from benchmarks.local_system import local_system
from benchmarks.measurements import Part as Results
from benchmarks.measurements import Target
from local.environment import LocalFolder

_RESULTS: Final = {1: 30, 10: 100, 100: 200}
"""The number of results, by batch size."""
_WARMUP_RESULTS: Final = 20

_IN_S3, _INLINE = 4096, 1024
"""Bytes of an output that is only in S3, and of an inline output, with the default settings."""

_PLAIN, _WITH_EVENTS, _INLINE_OUTPUTS = "plain", "with events", "plain, inline outputs of 1 KB"
_VARIANTS: Final = {
    _WITH_EVENTS: Variant(_IN_S3, published=True),
    _INLINE_OUTPUTS: Variant(_INLINE),
    "response in the notification, 1 KB": Variant(_INLINE, inline_response=True),
    "with registration": Variant(_IN_S3, registered=True),
}

_LIMIT_USD: Final = 3.0

_QUEUES, _POLLERS, _POLL_SECONDS, _MONTH_SECONDS = 2, 5, 20, 730 * 3600
"""Idle mappings poll each queue with five pollers, because the stack sets a maximum concurrency.
docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""

Usd = dict[str, dict[Part, float]]


def main() -> int:
    prices = read_prices()
    with local_system() as folder:
        runs, reads = _measure(folder)
    plain = {
        name.replace(_WITH_EVENTS, _PLAIN): _without_events(usage)
        for name, usage in runs.items()
        if name.startswith(_WITH_EVENTS)
    }
    results = _results(plain | runs, reads, prices)
    summary.save("cost", results)
    usd = results.facts["usd_per_million"]
    for title in ("results", "reads"):
        sys.stdout.write(f"\n{priced(f'USD per million {title}', usd[title])}\n")
    sys.stdout.write(f"\n{targets(results.targets)}\n")
    return 0


def _measure(folder: LocalFolder) -> tuple[dict[str, Usage], dict[str, Usage]]:
    """Return the usage of results by variant and batch size, and that of reads."""
    proxy = CountingProxy(folder)
    proxy.start()
    system = MeasuredSystem(folder, proxy)
    sys.stderr.write("warming up\n")
    for variant in _VARIANTS.values():
        system.run(replace(variant, published=True), 10, _WARMUP_RESULTS)
    runs = {}
    for name, variant in _VARIANTS.items():
        for batch, number in _RESULTS.items():
            sys.stderr.write(f"{name}: {number} results in batches of {batch}\n")
            runs[f"{name}, batch {batch}"] = system.run(variant, batch, number)
    sys.stderr.write("reading records\n")
    return runs, dict(measure_reads(system))


def _without_events(usage: Usage) -> Usage:
    parts: dict[Part, Amounts] = {
        part: amounts for part, amounts in usage.parts.items() if part != Part.EVENTS
    }
    return replace(usage, parts=parts)


def _results(runs: Mapping[str, Usage], reads: Mapping[str, Usage], prices: Prices) -> Results:
    usd: Usd = {name: usage.per_million(prices) for name, usage in runs.items()}
    requests_per_month = _QUEUES * _POLLERS * _MONTH_SECONDS / _POLL_SECONDS
    facts: dict[str, Any] = {
        "prices": {"date": prices.read_on.isoformat(), "region": prices.region},
        "idle_usd_per_month": requests_per_month * prices.usd[Item.SQS_REQUEST],
        "usd_per_million": {
            "results": usd,
            "reads": {name: usage.per_million(prices) for name, usage in reads.items()},
            "waits": _waits(reads, prices),
        },
    }
    limited = [f"{name}, batch 10" for name in (_PLAIN, _INLINE_OUTPUTS)]
    return Results(
        targets=tuple(
            Target(name, "USD per million results", _LIMIT_USD, sum(usd[name].values()))
            for name in limited
        ),
        facts=facts,
    )


def _waits(reads: Mapping[str, Usage], prices: Prices) -> dict[str, dict[str, float]]:
    """Return the price of a million waits, by client and duration of the inference."""
    waits: dict[str, dict[str, float]] = {}
    for seconds in INFERENCE_SECONDS:
        for client, usage in _usage_of_wait(reads, seconds):
            usd = sum(usage.per_million(prices).values())
            waits.setdefault(client, {})[f"{seconds} s"] = usd
    return waits


def _usage_of_wait(reads: Mapping[str, Usage], seconds: int) -> Iterator[tuple[str, Usage]]:
    """Return the usage of polling S3, and of this service's consecutive requests."""
    for polling in S3_POLLING:
        yield polling.name, polling.usage(seconds)
    yield "Client on the table", reads[WAIT_ON_TABLE].times(seconds / WAIT_SECONDS)
    yield "Client over HTTP", reads[WAIT_OVER_HTTP].times(seconds / WAIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
