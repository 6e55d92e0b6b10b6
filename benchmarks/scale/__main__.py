"""`python -m benchmarks.scale` calculates the model, prints its tables and writes scale.json.

`--check` compares the model's arithmetic with a run on the local system and writes the differences.
"""

import json
import sys
from dataclasses import asdict, replace
from itertools import product
from typing import Any, Final

from benchmarks.machine import about
from benchmarks.measurements import short
from benchmarks.scale.check import Comparison, check
from benchmarks.scale.model import (
    RECOMMENDED,
    Load,
    Plan,
    Result,
    Use,
    calculate,
    half_hours_to_grow,
    index_heat,
    list_units,
    stream_uses,
)
from inference_results.contract import Index
from local.environment import ROOT

RESULTS: Final = ROOT / "benchmarks" / "scale.json"
_SHARDS: Final = (4, 16, 64, 256)
_ENDPOINTS: Final = (1, 10, 100, 1000)
_WARM_WRITES: Final = (64_000, 128_000, 256_000, 512_000)
_DAYS: Final = 90


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        return _check()
    if arguments:
        sys.stderr.write("usage: python -m benchmarks.scale [--check]\n")
        return 2
    loads = [_load(rate, registered) for rate in RECOMMENDED for registered in (False, True)]
    results = {
        "loads": loads,
        "by_shards": _by_shards(),
        "summarize_by_endpoints": _summarize_by_endpoints(),
        "registered_by_warm_writes": _registered_by_warm_writes(),
    }
    _write("model", results)
    return 0


def _load(rate: int, registered: bool) -> dict[str, Any]:
    load = Load(rate, registered=registered)
    default, recommended = calculate(load, Plan()), calculate(load, RECOMMENDED[rate])
    name = f"{rate:,} results per second" + (", each registered" if registered else "")
    _print_uses(name, default, recommended)
    _print_queues(default, recommended)
    units = sum(load.units(name) for name in load.profiles[0][0].units)
    return {
        "rate": rate,
        "registered": registered,
        "default": _as_json(default),
        "recommended": _as_json(recommended),
        "write_units_per_result": units / rate,
        "half_hours_to_grow_a_new_table": half_hours_to_grow(load.units("table")),
        "records_per_hour": rate * 3600,
        "records_after_90_days": rate * 86_400 * _DAYS,
    }


def _print_uses(name: str, default: Result, recommended: Result) -> None:
    _print(f"\n| {name} | default | share | recommended | share | raised by |")
    _print("|---|---:|---:|---:|---:|---|")
    for before, after in zip(default.uses, recommended.uses, strict=True):
        _print(f"| {before.name} | {_cells(before)} | {_cells(after)} | {before.raised_by} |")
    for plan, result in (("default", default), ("recommended", recommended)):
        first: Use = result.first_limit
        over = ", ".join(each.name for each in result.partitions_over_half) or "none"
        _print(f"\n{plan}: first limit: {first.name} ({first.share:.0%});", end=" ")
        _print(f"partitions over half of their limit: {over}")


def _cells(use: Use) -> str:
    return f"{short(use.used)} of {short(use.limit)} | {use.share:.0%}"


def _print_queues(*results: Result) -> None:
    _print("\n| one queue for an hour | default | recommended |\n|---|---:|---:|")
    rows = {
        "messages per invocation": "normal_batch_size",
        "seconds per invocation": "normal_duration_seconds",
        "concurrent invocations": "normal_concurrency",
        "peak concurrent invocations": "peak_concurrency",
        "peak in flight, normal": "normal_peak_in_flight",
        "peak in flight, outage": "peak_in_flight",
        "oldest message, normal, s": "normal_oldest_seconds",
        "oldest message, burst, s": "burst_oldest_seconds",
        "oldest message, outage, s": "outage_oldest_seconds",
        "recovery after the outage, s": "recovery_seconds",
        "backlog at the end": "backlog",
    }
    for name, field in rows.items():
        values = [getattr(result.queue, field) for result in results]
        texts = ("never" if value is None else short(value) for value in values)
        _print(f"| {name} | {' | '.join(texts)} |")


def _by_shards() -> dict[str, dict[str, float]]:
    """Show how shards spread writes, and what lists cost, at the highest load.

    The other settings are those recommended for that load.
    """
    rate = max(RECOMMENDED)
    _print(f"\n| shards | by-endpoint at {rate:,}/s: hottest key, write units/s |", end="")
    _print(" hottest partition | read units of a list of 50 |\n|---|---:|---:|---:|")
    rows = {}
    for shards in _SHARDS:
        plan = RECOMMENDED[rate]
        plan = replace(plan, settings={**plan.settings, "shards": shards})
        heat = index_heat(Index.BY_ENDPOINT, Load(rate), plan)
        rows[str(shards)] = {
            "hottest_key": heat.key,
            "hottest_partition": heat.partition,
            "list_read_units": list_units(shards),
        }
        _print(f"| {shards} | {' | '.join(map(short, rows[str(shards)].values()))} |")
    return rows


def _summarize_by_endpoints() -> dict[str, float]:
    """Show summarize at the highest load: it writes one endpoint after another."""
    _print("\n| endpoints | summarize, share of a shard's time |\n|---|---:|")
    rate = max(RECOMMENDED)
    shares = {}
    for endpoints in _ENDPOINTS:
        uses = stream_uses(Load(rate, endpoints=endpoints), RECOMMENDED[rate])
        (use,) = [each for each in uses if each.name.startswith("summarize")]
        shares[str(endpoints)] = use.share
        _print(f"| {endpoints:,} | {use.share:.0%} |")
    return shares


def _registered_by_warm_writes() -> list[dict[str, Any]]:
    """Show the hottest partitions at the highest load, before DynamoDB splits any for heat."""
    _print("\nRegistered: write units per second of the hottest partition (limit: 1,000)\n")
    _print("| warm throughput | endpoints | by-endpoint | by-status | by-endpoint-and-status |")
    _print("|---:|---:|---:|---:|---:|")
    rate = max(RECOMMENDED)
    rows = []
    for warm_writes, endpoints in product(_WARM_WRITES, (1, 10)):
        plan = replace(RECOMMENDED[rate], warm_writes=warm_writes)
        load = Load(rate, registered=True, endpoints=endpoints)
        heat = {str(index): index_heat(index, load, plan).partition for index in Index}
        rows.append({"warm_writes": warm_writes, "endpoints": endpoints, **heat})
        texts = (heat[Index.BY_ENDPOINT], heat[Index.BY_STATUS], heat[Index.BY_ENDPOINT_AND_STATUS])
        _print(f"| {warm_writes:,} | {endpoints} | {' | '.join(map(short, texts))} |")
    return rows


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "settings": dict(result.plan.settings),
        "warm_writes": result.plan.warm_writes,
        "output_prefixes": result.plan.output_prefixes,
        "quotas": dict(result.plan.quotas),
        "uses": {use.name: {"used": use.used, "limit": use.limit} for use in result.uses},
        "first_limit": result.first_limit.name,
        "partitions_over_half": [use.name for use in result.partitions_over_half],
        "queue": asdict(result.queue),
    }


def _check() -> int:
    comparisons = check()
    _print("| | model | measured | tolerance | |\n|---|---:|---:|---:|---|")
    for each in comparisons:
        _print(_row(each))
    _write("check", [{**asdict(each), "holds": each.holds} for each in comparisons])
    return 0 if all(each.holds for each in comparisons) else 1


def _row(it: Comparison) -> str:
    holds = "holds" if it.holds else "DOES NOT HOLD"
    figures = f"{it.model:.4g} | {it.measured:.4g} | {it.tolerance:.0%}"
    return f"| {it.name} | {figures} | {holds} |"


def _write(part: str, results: Any) -> None:
    parts = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    parts[part] = {"about": about(), "results": results}
    RESULTS.write_text(json.dumps(parts, indent=1) + "\n")


def _print(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
