"""Lists and gets with 1,000, 10,000 and 100,000 records: time, calls and read units.

Runs the use cases behind the HTTP API and `Client.on_table` with botocore's real client on an
in-process table (in_memory_table.py): no network, and no emulator that scans all items. Times are
the caller's. DynamoDB's latency comes on top; the read units show whether it can grow.
"""

import gc
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final, TypeAlias

import boto3

from benchmarks.dynamodb_units import Item
from benchmarks.in_memory_table import Consumed, InMemoryTable
from benchmarks.measurements import Part, Table, Target, table
from benchmarks.reviewed_template import indexes
from benchmarks.sample_items import SHARDS, completed_item, failed_item
from inference_results.adapters.aws.config import client_config
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.domain.queries.find import FindInference, FindInferences
from inference_results.domain.queries.listing import ListInferences

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SIZES: Final = (1_000, 10_000, 100_000)
ROUNDS: Final = 40
_WARMUP_ROUNDS: Final = 3
_LIMIT: Final = 1.2

_WORKERS: Final = 16
_ENDPOINT: Final = "speech"
_SESSION: Final = boto3.Session("none", "none", region_name="us-east-1")
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_OUTPUT: Final = b"x" * 1000

Query: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class QueryCost:
    """Milliseconds of one query, and what it consumed."""

    ms: float
    consumed: Consumed


def measure() -> Part:
    tables = {size: InMemoryTable(indexes()) for size in SIZES}
    ids = []
    for number, (inference_id, item) in enumerate(generate_records(max(SIZES))):
        ids.append(inference_id)
        for size, of_size in tables.items():
            if number < size:
                of_size.add(item)
    gc.collect()
    gc.freeze()  # a function's garbage collector never sees the items stored in DynamoDB
    with ThreadPoolExecutor(_WORKERS) as pool:
        queries = {size: _queries(it, pool, ids[:size]) for size, it in tables.items()}
        costs = _rounds(tables, queries)
    gc.unfreeze()
    return _part(costs)


def generate_records(count: int) -> Iterator[tuple[str, Item]]:
    """Generate ids and items of one endpoint, one per second.

    Every fifth failed. The others have an inline output of 1,000 bytes.
    """
    rng = random.Random(1)  # noqa: S311 - the same ids in every run
    for number in range(count):
        inference_id = str(uuid.UUID(int=rng.getrandbits(128)))
        ended = _START + timedelta(seconds=number)
        if number % 5 == 0:
            yield inference_id, failed_item(inference_id, _ENDPOINT, ended)
        else:
            yield inference_id, completed_item(inference_id, _ENDPOINT, ended, _OUTPUT)


def new_client() -> "DynamoDBClient":
    """Create a client with invalid credentials: an InMemoryTable must intercept it."""
    return _SESSION.client("dynamodb", config=client_config(_WORKERS))


def _queries(it: InMemoryTable, pool: Executor, ids: Sequence[str]) -> dict[str, Query]:
    """Return the queries by name. Each returns equally many records for every table size."""
    client = new_client()
    it.intercept(client)
    queries = InferenceQueries(client, "inferences", SHARDS, pool)
    now = partial(datetime.now, UTC)
    list_inferences = ListInferences(inferences=queries, now=now, cursor_key=b"key")
    find = FindInference(inferences=queries, now=now)
    find_many = FindInferences(inferences=queries, now=now)
    some = random.Random(2).sample(ids, 100)  # noqa: S311 - the same ids in every run
    return {
        "50 newest of an endpoint": partial(list_inferences, endpoint_name=_ENDPOINT, limit=50),
        "50 newest failures": partial(list_inferences, status="Failed", limit=50),
        "50 newest failures of an endpoint": partial(
            list_inferences, endpoint_name=_ENDPOINT, status="Failed", limit=50
        ),
        "one by id": partial(find, some[0]),
        "100 by id and endpoint": partial(find_many, some, _ENDPOINT),
        "100 by id only": partial(find_many, some),
    }


def _rounds(
    tables: Mapping[int, InMemoryTable], queries: Mapping[int, Mapping[str, Query]]
) -> dict[str, dict[int, list[QueryCost]]]:
    """Run all queries in rounds and return their costs, by query and table size."""
    costs: dict[str, dict[int, list[QueryCost]]] = {
        name: {size: [] for size in tables} for name in queries[min(tables)]
    }
    sizes = list(tables)
    for number in range(-_WARMUP_ROUNDS, ROUNDS):
        for name, by_size in costs.items():
            # Rotate the order, so that no size always runs after the largest.
            for size in sizes[number % len(sizes) :] + sizes[: number % len(sizes)]:
                cost = _run(tables[size], queries[size][name])
                if number >= 0:
                    by_size[size].append(cost)
    return costs


def _run(it: InMemoryTable, query: Query) -> QueryCost:
    it.take_consumed()
    started = time.perf_counter()
    query()
    milliseconds = 1000 * (time.perf_counter() - started)
    return QueryCost(milliseconds, it.take_consumed())


def _part(costs: Mapping[str, Mapping[int, Sequence[QueryCost]]]) -> Part:
    base = _label(min(SIZES))
    tables: list[Table] = []
    reads: dict[str, dict[str, list[float]]] = {}
    for number, (name, by_size) in enumerate(costs.items()):
        times = {_label(size): [it.ms for it in of_size] for size, of_size in by_size.items()}
        tables.append(table(f"lists_{number}", name, "ms", times, base))
        reads[name] = {
            "calls": [median(it.consumed.calls for it in of_size) for of_size in by_size.values()],
            "read units": [
                median(it.consumed.units for it in of_size) for of_size in by_size.values()
            ],
        }
    title = "lists and gets from 1,000 to 100,000 records"
    time_growth = max(it.rows[-1].median / it.rows[0].median for it in tables)
    unit_growth = max(it["read units"][-1] / it["read units"][0] for it in reads.values())
    targets = (
        Target(f"{title}: time", "x", _LIMIT, time_growth),
        Target(f"{title}: read units", "x", _LIMIT, unit_growth),
    )
    return Part(tuple(tables), targets, reads)


def _label(size: int) -> str:
    return f"{size:,} records"
