"""Lists and gets at 1,000, 10,000 and 100,000 records: time, calls and read units.

Of the use cases behind the HTTP API and `Client.on_table`, with botocore's real client, over a
table in this process (sorted_table.py): no network, and no emulator's search through all items.
A time is what a caller here spends; DynamoDB's own answer and the way to it come on top, and the
units say whether those can grow.
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
from benchmarks.measured import Part, Table, Target, table
from benchmarks.reviewed_template import indexes
from benchmarks.sorted_table import SortedTable, Spent
from inference_results.adapters.aws.calls import client_config
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
_WARMING_ROUNDS: Final = 3
_LIMIT: Final = 1.2

_SHARDS: Final = 4
_SIDE_BY_SIDE: Final = 16
_ENDPOINT: Final = "speech"
_SESSION: Final = boto3.Session("none", "none", region_name="us-east-1")
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_REASON: Final = (
    'ClientError: Received server error (500) from model with message "the model failed".'
    " See the SageMaker Endpoint logs in your account for more information."
)

Question: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question took; the seconds of `spent` are a part of `seconds`."""

    seconds: float
    spent: Spent


def measure() -> Part:
    stores = {size: SortedTable(KEY, indexes()) for size in SIZES}
    ids = []
    for number, (inference_id, item) in enumerate(records_of(max(SIZES))):
        ids.append(inference_id)
        for size, store in stores.items():
            if number < size:
                store.add(item)
    gc.collect()
    gc.freeze()  # as a function has it: what lies in DynamoDB is not gone through for garbage
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        questions = {size: _questions(store, pool, ids[:size]) for size, store in stores.items()}
        taken = _rounds(stores, questions)
    gc.unfreeze()
    return _part(taken)


def records_of(count: int) -> Iterator[tuple[str, Item]]:
    """Ids and items, all of one endpoint, one a second: every fifth failed, the others have an
    output of 1,000 bytes, which stands in the record."""
    table_of = ResultStore(new_client(), "inferences", _SHARDS)
    chance = random.Random(1)  # noqa: S311 - the same ids in every run
    for number in range(count):
        inference_id = str(uuid.UUID(int=chance.getrandbits(128)))
        yield inference_id, table_of.item(_outcome(inference_id, number))


def _outcome(inference_id: str, number: int) -> Result:
    moment = timestamp(_START + timedelta(seconds=number))
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
        event_time=moment,
        event_order=f"{moment}\n1\n{output.location}\n{inference_id}",
        recorded_at=moment,
        expires_at=4_000_000_000,
        received_at=moment,
        input_location=f"s3://outputs/async-input/{inference_id}",
        content_type="application/json",
        output=None if failed else output,
        failure=classify(Status.FAILED, _REASON) if failed else None,
    )


def new_client() -> "DynamoDBClient":
    """Without credentials that anybody takes: it is put behind a SortedTable."""
    return _SESSION.client("dynamodb", config=client_config(_SIDE_BY_SIDE))


def _questions(store: SortedTable, pool: Executor, ids: Sequence[str]) -> dict[str, Question]:
    """Each with an answer of the same length at every size."""
    client = new_client()
    store.behind(client)
    queries = InferenceQueries(client, "inferences", _SHARDS, pool)
    now = partial(datetime.now, UTC)
    list_inferences = ListInferences(inferences=queries, now=now, cursor_key=b"key")
    find = FindInference(inferences=queries, now=now)
    find_many = FindInferences(inferences=queries, now=now)
    some = random.Random(2).sample(ids, 100)  # noqa: S311 - the same ones in every run
    return {
        "50 newest of an endpoint": partial(list_inferences, endpoint_name=_ENDPOINT, limit=50),
        "50 newest that failed": partial(list_inferences, status="Failed", limit=50),
        "50 newest that failed on an endpoint": partial(
            list_inferences, endpoint_name=_ENDPOINT, status="Failed", limit=50
        ),
        "one by its id": partial(find, some[0]),
        "100 by id, with their endpoint": partial(find_many, some, _ENDPOINT),
        "100 by id alone": partial(find_many, some),
    }


def _rounds(
    stores: Mapping[int, SortedTable], questions: Mapping[int, Mapping[str, Question]]
) -> dict[str, dict[int, list[Asked]]]:
    """By question and size."""
    taken: dict[str, dict[int, list[Asked]]] = {
        name: {size: [] for size in stores} for name in questions[min(stores)]
    }
    sizes = list(stores)
    for number in range(-_WARMING_ROUNDS, ROUNDS):
        for name, of_question in taken.items():
            # Not always in the same order: nobody shall only follow the largest.
            for size in sizes[number % len(sizes) :] + sizes[: number % len(sizes)]:
                asked = _ask(stores[size], questions[size][name])
                if number >= 0:
                    of_question[size].append(asked)
    return taken


def _ask(store: SortedTable, question: Question) -> Asked:
    store.taken()
    began = time.perf_counter()
    question()
    seconds = time.perf_counter() - began
    return Asked(seconds, store.taken())


def _part(taken: Mapping[str, Mapping[int, Sequence[Asked]]]) -> Part:
    tables: list[Table] = []
    facts: dict[str, Any] = {}
    grown: dict[str, list[float]] = {"time": [], "read units": []}
    base = _named(min(SIZES))
    for number, (name, of_question) in enumerate(taken.items()):
        milliseconds, units = (
            {_named(size): [value(each) for each in all_] for size, all_ in of_question.items()}
            for value in (_milliseconds, _units)
        )
        tables += [
            table(f"lists_time_{number}", name, "ms", milliseconds, base),
            table(f"lists_units_{number}", name, "read units", units, base),
        ]
        for what, values in (("time", milliseconds), ("read units", units)):
            grown[what].append(median(values[_named(max(SIZES))]) / median(values[base]))
        facts[name] = {
            _named(size): {
                "calls": median(each.spent.calls for each in all_),
                "ms_in_the_store": median(1000 * each.spent.seconds for each in all_),
            }
            for size, all_ in of_question.items()
        }
    targets = (
        Target(f"lists and gets from 1,000 to 100,000 records: {what}", "x", _LIMIT, max(each))
        for what, each in grown.items()
    )
    return Part(tuple(tables), tuple(targets), facts)


def _named(size: int) -> str:
    return f"{size:,} records"


def _milliseconds(asked: Asked) -> float:
    return 1000 * asked.seconds


def _units(asked: Asked) -> float:
    return asked.spent.units
