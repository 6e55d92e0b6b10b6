"""`python -m benchmarks.scale`: calculate, print the tables, and write scale.json.

With `--check`: hold the model's arithmetic against a run on the local system, and write that.
"""

import json
import sys
from dataclasses import asdict, replace
from itertools import product
from typing import Any, Final

from benchmarks.machine import about
from benchmarks.measured import short
from benchmarks.scale.check import Compared, check
from benchmarks.scale.plan import (
    RECOMMENDED,
    Load,
    Plan,
    Result,
    Use,
    calculate,
    half_hours_to_grow,
    index_heat,
    list_units,
    reading_the_stream,
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
    found = {
        "loads": loads,
        "by_shards": _by_shards(),
        "summarize_by_endpoints": _many_endpoints(),
        "registered_by_warm_writes": _registered(),
    }
    _write("model", found)
    return 0


def _load(rate: int, registered: bool) -> dict[str, Any]:
    load = Load(rate, registered=registered)
    default, recommended = calculate(load, Plan()), calculate(load, RECOMMENDED[rate])
    name = f"{rate:,} results a second" + (", each registered" if registered else "")
    _print_uses(name, default, recommended)
    _print_hour(default, recommended)
    units = sum(load.units(of) for of in load.kinds[0][0].units)
    return {
        "rate": rate,
        "registered": registered,
        "default": _as_json(default),
        "recommended": _as_json(recommended),
        "write_units_a_result": units / rate,
        "half_hours_until_a_new_table_takes_it": half_hours_to_grow(load.units("table")),
        "records_in_an_hour": rate * 3600,
        "records_after_90_days": rate * 86_400 * _DAYS,
    }


def _print_uses(name: str, default: Result, recommended: Result) -> None:
    _print(f"\n| {name} | default | of its limit | recommended | of its limit | moved by |")
    _print("|---|---:|---:|---:|---:|---|")
    for before, after in zip(default.uses, recommended.uses, strict=True):
        _print(f"| {before.name} | {_cells(before)} | {_cells(after)} | {before.moved_by} |")
    for which, result in (("default", default), ("recommended", recommended)):
        first: Use = result.first
        over = ", ".join(each.name for each in result.partitions_over_half) or "none"
        _print(f"\n{which}: first limit: {first.name} ({first.share:.0%});", end=" ")
        _print(f"partitions over half of theirs: {over}")


def _cells(use: Use) -> str:
    return f"{short(use.used)} of {short(use.limit)} | {use.share:.0%}"


def _print_hour(*results: Result) -> None:
    _print("\n| an hour of one queue | default | recommended |\n|---|---:|---:|")
    rows = {
        "messages in a call": "calm_batch",
        "seconds of a call": "calm_seconds_of_a_call",
        "calls at a time": "calm_concurrency",
        "calls at a time, most": "peak_concurrency",
        "in flight, most in calm times": "calm_in_flight",
        "in flight, most in the stop": "peak_in_flight",
        "oldest message, calm, s": "calm_oldest",
        "oldest message, burst, s": "burst_oldest",
        "oldest message, stop, s": "stop_oldest",
        "as before the stop after, s": "recovered_after",
        "waiting at the end": "left",
    }
    for name, field in rows.items():
        values = [getattr(result.seen, field) for result in results]
        texts = ("never" if value is None else short(value) for value in values)
        _print(f"| {name} | {' | '.join(texts)} |")


def _by_shards() -> dict[str, dict[str, float]]:
    """What they spread, at the highest load with the other settings that are recommended for it,
    and what they cost."""
    rate = max(RECOMMENDED)
    _print(f"\n| shards | by-endpoint at {rate:,}/s: hottest key, write units a second |", end="")
    _print(" hottest partition | read units of a list of 50 |\n|---|---:|---:|---:|")
    found = {}
    for shards in _SHARDS:
        plan = RECOMMENDED[rate]
        plan = replace(plan, settings={**plan.settings, "shards": shards})
        heat = index_heat(Index.BY_ENDPOINT, Load(rate), plan)
        found[str(shards)] = {
            "hottest_key": heat.key,
            "hottest_partition": heat.partition,
            "list_read_units": list_units(shards),
        }
        _print(f"| {shards} | {' | '.join(map(short, found[str(shards)].values()))} |")
    return found


def _many_endpoints() -> dict[str, float]:
    """Of summarize, at the highest load: it writes for one endpoint after another."""
    _print("\n| endpoints | summarize, of a shard's time |\n|---|---:|")
    rate = max(RECOMMENDED)
    found = {}
    for endpoints in _ENDPOINTS:
        uses = reading_the_stream(Load(rate, endpoints=endpoints), RECOMMENDED[rate])
        (use,) = [each for each in uses if each.name.startswith("summarize")]
        found[str(endpoints)] = use.share
        _print(f"| {endpoints:,} | {use.share:.0%} |")
    return found


def _registered() -> list[dict[str, Any]]:
    """The hottest partitions at the highest load, before DynamoDB has split any for its heat."""
    _print("\nRegistered: write units a second of the hottest partition, of 1,000\n")
    _print("| warm throughput | endpoints | by-endpoint | by-status | by-endpoint-and-status |")
    _print("|---:|---:|---:|---:|---:|")
    rate = max(RECOMMENDED)
    found = []
    for warm_writes, endpoints in product(_WARM_WRITES, (1, 10)):
        plan = replace(RECOMMENDED[rate], warm_writes=warm_writes)
        load = Load(rate, registered=True, endpoints=endpoints)
        of = {str(index): index_heat(index, load, plan).partition for index in Index}
        found.append({"warm_writes": warm_writes, "endpoints": endpoints, **of})
        texts = (of[Index.BY_ENDPOINT], of[Index.BY_STATUS], of[Index.BY_ENDPOINT_AND_STATUS])
        _print(f"| {warm_writes:,} | {endpoints} | {' | '.join(map(short, texts))} |")
    return found


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "settings": dict(result.plan.settings),
        "warm_writes": result.plan.warm_writes,
        "output_prefixes": result.plan.output_prefixes,
        "quotas": dict(result.plan.quotas),
        "uses": {use.name: {"used": use.used, "limit": use.limit} for use in result.uses},
        "first": result.first.name,
        "partitions_over_half": [use.name for use in result.partitions_over_half],
        "hour": asdict(result.seen),
    }


def _check() -> int:
    compared = check()
    _print("| what | model | measured | tolerance | |\n|---|---:|---:|---:|---|")
    for each in compared:
        _print(_row(each))
    _write("check", [{**asdict(each), "holds": each.holds} for each in compared])
    return 0 if all(each.holds for each in compared) else 1


def _row(it: Compared) -> str:
    holds = "holds" if it.holds else "DOES NOT HOLD"
    figures = f"{it.model:.4g} | {it.measured:.4g} | {it.tolerance:.0%}"
    return f"| {it.what} | {figures} | {holds} |"


def _write(part: str, content: Any) -> None:
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found[part] = {"about": about(), "found": content}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def _print(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
