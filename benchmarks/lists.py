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
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import boto3

from benchmarks.dynamodb_units import Item
from benchmarks.in_memory_table import Consumed, InMemoryTable
from benchmarks.measurements import Part, Table, Target, table
from benchmarks.reviewed_template import indexes
from inference_results.adapters.aws.config import client_config
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.results import KEY, ResultStore
from inference_results.contract import Status
from inference_results.domain.queries.find import FindInference, FindInferences
from inference_results.domain.queries.listing import ListInferences
from inference_results.domain.record.failure import classify
from inference_results.domain.record.result import Output, Result
from inference_results.domain.record.timestamps import timestamp

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SIZES: Final = (1_000, 10_000, 100_000)
ROUNDS: Final = 40
_WARMUP_ROUNDS: Final = 3
_LIMIT: Final = 1.2

_SHARDS: Final = 4
_WORKERS: Final = 16
_ENDPOINT: Final = "speech"
_SESSION: Final = boto3.Session("none", "none", region_name="us-east-1")
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_REASON: Final = (
    'ClientError: Received server error (500) from model with message "the model failed".'
    " See the SageMaker Endpoint logs in your account for more information."
)

Query: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class QueryCost:
    """Duration of one query, including `consumed.seconds`, and what it consumed."""

    seconds: float
    consumed: Consumed


def measure() -> Part:
    tables = {size: InMemoryTable(KEY, indexes()) for size in SIZES}
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
    store = ResultStore(new_client(), "inferences", _SHARDS)
    rng = random.Random(1)  # noqa: S311 - the same ids in every run
    for number in range(count):
        inference_id = str(uuid.UUID(int=rng.getrandbits(128)))
        yield inference_id, store.item(_result(inference_id, number))


def _result(inference_id: str, number: int) -> Result:
    event_time = timestamp(_START + timedelta(seconds=number))
    failed = number % 5 == 0
    key = f"async-output/{inference_id}.out"
    output = Output(
        location=f"s3://outputs/{key}",
        bucket="outputs",
        key=key,
        version_id="3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY",
        etag='"9b2cf535f27731c974343645a3985328"',
        size=1000,
        content_type="application/json",
        inline=b"x" * 1000,
    )
    return Result(
        inference_id=inference_id,
        endpoint_name=_ENDPOINT,
        status=Status.FAILED if failed else Status.COMPLETED,
        event_time=event_time,
        event_order=f"{event_time}\n1\n{output.location}\n{inference_id}",
        recorded_at=event_time,
        expires_at=4_000_000_000,
        received_at=event_time,
        input_location=f"s3://outputs/async-input/{inference_id}",
        content_type="application/json",
        output=None if failed else output,
        failure=classify(Status.FAILED, _REASON) if failed else None,
    )


def new_client() -> "DynamoDBClient":
    """Create a client with invalid credentials: an InMemoryTable must intercept it."""
    return _SESSION.client("dynamodb", config=client_config(_WORKERS))


def _queries(it: InMemoryTable, pool: Executor, ids: Sequence[str]) -> dict[str, Query]:
    """Return the queries by name. Each returns equally many records for every table size."""
    client = new_client()
    it.intercept(client)
    queries = InferenceQueries(client, "inferences", _SHARDS, pool)
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
    seconds = time.perf_counter() - started
    return QueryCost(seconds, it.take_consumed())


def _part(costs: Mapping[str, Mapping[int, Sequence[QueryCost]]]) -> Part:
    tables: list[Table] = []
    facts: dict[str, Any] = {}
    growth: dict[str, list[float]] = {"time": [], "read units": []}
    base = _label(min(SIZES))
    for number, (name, by_size) in enumerate(costs.items()):
        milliseconds, units = (
            {_label(size): [value(each) for each in all_] for size, all_ in by_size.items()}
            for value in (_milliseconds, _units)
        )
        tables += [
            table(f"lists_time_{number}", name, "ms", milliseconds, base),
            table(f"lists_units_{number}", name, "read units", units, base),
        ]
        for kind, values in (("time", milliseconds), ("read units", units)):
            growth[kind].append(median(values[_label(max(SIZES))]) / median(values[base]))
        facts[name] = {
            _label(size): {
                "calls": median(each.consumed.calls for each in all_),
                "ms_in_the_table": median(1000 * each.consumed.seconds for each in all_),
            }
            for size, all_ in by_size.items()
        }
    targets = (
        Target(f"lists and gets from 1,000 to 100,000 records: {kind}", "x", _LIMIT, max(ratios))
        for kind, ratios in growth.items()
    )
    return Part(tuple(tables), tuple(targets), facts)


def _label(size: int) -> str:
    return f"{size:,} records"


def _milliseconds(cost: QueryCost) -> float:
    return 1000 * cost.seconds


def _units(cost: QueryCost) -> float:
    return cost.consumed.units
