"""What a load takes of each limit, and which settings are recommended for it."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.dynamodb_units import TABLE, item_bytes, read_units
from benchmarks.reviewed_template import indexes, reader
from benchmarks.scale import aws
from benchmarks.scale.calls import announcing, recording, summarizing
from benchmarks.scale.kinds import Kind, kinds
from benchmarks.scale.partitions import Hottest, hottest
from benchmarks.scale.queue import Hour, Seen, simulate
from inference_results.contract import Index, Service
from infra.settings import Settings

_ANSWER_SECONDS: Final = 0.02
"""Of status_api, for one record. Assumed."""
_SUMMARY_UNITS: Final = 2
"""Of an item with more than 60 counters; see decision 0018."""


@dataclass(frozen=True)
class Load:
    """Results a second, all on one endpoint unless `endpoints` says otherwise.

    `failed`: which part fails. `registered`: whether each was submitted or registered here.
    `gets`: how often each record is asked for through the API.
    """

    rate: float
    failed: float = 0.05
    registered: bool = False
    endpoints: int = 1
    gets: float = 1

    @property
    def kinds(self) -> list[tuple[Kind, float]]:
        """How many a second of each."""
        prefix = "registered, " if self.registered else ""
        known = kinds()
        return [
            (known[f"{prefix}completed"], self.rate * (1 - self.failed)),
            (known[f"{prefix}failed"], self.rate * self.failed),
        ]

    @property
    def changes(self) -> float:
        """A second, in the table's stream; records that expire are filtered out by Lambda."""
        return sum(rate * len(kind.items) for kind, rate in self.kinds)

    def units(self, of: str) -> float:
        """Write units a second of the table or an index."""
        return sum(rate * kind.units[of] for kind, rate in self.kinds)


@dataclass(frozen=True)
class Plan:
    """Settings that differ from the defaults; `warm_writes`: the warm throughput (write units a
    second) that the table and each index are given; over how many prefixes the outputs are spread;
    quotas to ask for, by limit."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    warm_writes: int = aws.NEW_TABLE_WRITES
    output_prefixes: int = 1
    quotas: Mapping[str, float] = field(default_factory=dict)

    @property
    def all_settings(self) -> Settings:
        return Settings(output_prefixes=("s3://customer-outputs/",), **self.settings)

    @property
    def partitions(self) -> int:
        """Of the table and of each index: as many as their warm throughput takes."""
        return math.ceil(self.warm_writes / aws.PARTITION_WRITES.value)

    def limit(self, it: aws.Limit) -> float:
        return self.quotas.get(it.name, it.value)


@dataclass(frozen=True)
class Use:
    """`used` of `limit`, both in `unit`; `moved_by`: the setting or quota that moves it."""

    name: str
    used: float
    limit: float
    unit: str
    moved_by: str

    @property
    def share(self) -> float:
        return self.used / self.limit


@dataclass(frozen=True)
class Result:
    """Of one load with one plan."""

    load: Load
    plan: Plan
    seen: Seen
    uses: tuple[Use, ...]

    @property
    def first(self) -> Use:
        """Where the first limit is: what is used most."""
        return max(self.uses, key=lambda use: use.share)

    @property
    def partitions_over_half(self) -> list[Use]:
        return [each for each in self.uses if "partition" in each.unit and each.share > 0.5]


def calculate(load: Load, plan: Plan, hour: Hour | None = None) -> Result:
    """Simulates an hour, and adds up the rest."""
    seen = simulate(hour or Hour(load.rate), plan.all_settings)
    uses = [*_before(load, plan), *_recording(load, plan, seen)]
    uses += [*_writing(load, plan), *reading_the_stream(load, plan), *_asking(load, plan)]
    uses.append(_account(load, plan, uses))
    return Result(load, plan, seen, tuple(uses))


def _quota(name: str, load: float, plan: Plan, limit: aws.Limit, moved_by: str = "") -> Use:
    return Use(name, load, plan.limit(limit), limit.unit, moved_by or "quota")


def _before(load: Load, plan: Plan) -> Sequence[Use]:
    each = load.rate / plan.output_prefixes
    spread = "more prefixes (S3 splits a busy one by itself, in half an hour to an hour)"
    return (
        _quota(aws.SNS_PUBLISH.name, load.rate, plan, aws.SNS_PUBLISH),
        _quota(aws.S3_PUT.name, each, plan, aws.S3_PUT, spread),
        _quota(aws.S3_GET.name, each, plan, aws.S3_GET, f"responses in the notification; {spread}"),
    )


RECORDERS: Final = "concurrency of record_result, of one queue"


def needed_concurrency(load: Load, settings: Settings, batch: float) -> float:
    """Calls at a time, by Little's law, with so many messages in each."""
    messages = max(1, round(batch))
    return load.rate / messages * recording(messages, settings.workers).mean


def _recording(load: Load, plan: Plan, seen: Seen) -> Sequence[Use]:
    settings = plan.all_settings
    batch = settings.batch_size if seen.left > load.rate * 60 else seen.calm_batch
    return (
        Use(
            RECORDERS,
            needed_concurrency(load, settings, batch),
            settings.maximum_concurrency,
            "",
            "maximum_concurrency",
        ),
        _quota(aws.SQS_IN_FLIGHT.name, seen.calm_in_flight, plan, aws.SQS_IN_FLIGHT),
    )


def _writing(load: Load, plan: Plan) -> Sequence[Use]:
    unit = "/s and partition"
    limit = aws.PARTITION_WRITES.value
    uses = [
        Use(
            "table: hottest partition",
            load.units(TABLE) / plan.partitions,
            limit,
            unit,
            "warm throughput",
        )
    ]
    for index in Index:
        it = index_heat(index, load, plan)
        uses.append(Use(f"{index}: hottest key", it.key, limit, unit, "shards"))
        moved_by = "warm throughput and shards"
        uses.append(Use(f"{index}: hottest partition", it.partition, limit, unit, moved_by))
    updates = _summaries_updates(load, plan) / load.endpoints
    uses.append(
        Use(
            "summaries: hottest key",
            updates * _SUMMARY_UNITS,
            limit,
            unit,
            "nothing; one key an endpoint",
        )
    )
    largest = max((load.units(name), str(name)) for name in (TABLE, *Index))
    name = f"{aws.TABLE_WRITES.name} ({largest[1]})"
    uses.append(_quota(name, largest[0], plan, aws.TABLE_WRITES))
    return uses


def index_heat(index: Index, load: Load, plan: Plan) -> Hottest:
    """Of an index, by its keys: shards of an endpoint, of a status, or of both."""
    shards = plan.all_settings.shards
    units = defaultdict[str, float](float)
    for kind, rate in load.kinds:
        for status, number in _units_by_status(index, kind).items():
            units[status] += rate * number
    spread = shards * (1 if index == Index.BY_STATUS else load.endpoints)
    by_key: Counter[float] = Counter()
    for total in units.values():
        by_key[total / spread] += spread
    return hottest(by_key, plan.partitions)


def _units_by_status(index: Index, kind: Kind) -> dict[str, int]:
    """Of one inference. An entry that is deleted costs the key that it leaves."""
    total = kind.units[index]
    if not total:
        return {}
    if index == Index.BY_ENDPOINT:
        return {"": total}
    statuses = [item["status"]["S"] for item in kind.items]
    begun = kinds()["registered, completed"].units[index] if len(statuses) > 1 else 0
    found = {"InProgress": begun, statuses[-1]: total - begun}
    return {status: number for status, number in found.items() if number}


def _batch(changes: float, seconds: float, most: int) -> float:
    """Changes of one call, where they gather for so long."""
    return min(float(most), max(1.0, changes * seconds))


def _summaries_updates(load: Load, plan: Plan) -> float:
    """A second: in each shard of the stream, one for each endpoint of a batch."""
    it = reader(Service.SUMMARIZE)
    each = load.changes / plan.partitions
    batch = _batch(each, it.window_seconds, it.batch_size)
    return load.changes / batch * _endpoints_in(batch, load.endpoints)


def _endpoints_in(batch: float, endpoints: int) -> float:
    """How many different ones, if each change is of any of them."""
    return endpoints * (1 - (1 - 1 / endpoints) ** batch) if endpoints > 1 else 1


def reading_the_stream(load: Load, plan: Plan) -> Sequence[Use]:
    """What announce and summarize take; a partition of the table has one shard of the stream."""
    each = load.changes / plan.partitions
    unit = "of a shard's time"
    announce, summarize = reader(Service.PUBLISH_EVENTS), reader(Service.SUMMARIZE)
    most = announce.batch_size
    busy = each / most * announcing(most) / announce.batches_at_a_time
    batch = _batch(each, summarize.window_seconds, summarize.batch_size)
    endpoints = math.ceil(_endpoints_in(batch, load.endpoints))
    counting = each / batch * summarizing(round(batch), endpoints)
    gathered = _batch(each, announcing(10), most)
    calls = load.changes / gathered * math.ceil(gathered / aws.EVENTS_A_CALL)
    return (
        Use("publish_events: one call at a time in each shard", busy, 1, unit, "warm throughput"),
        Use("summarize: likewise", counting, 1, unit, "warm throughput"),
        _quota(aws.PUT_EVENTS.name, calls, plan, aws.PUT_EVENTS),
        _quota(f"{aws.EVENT_TARGETS.name}, one rule", load.changes, plan, aws.EVENT_TARGETS),
    )


def _asking(load: Load, plan: Plan) -> Sequence[Use]:
    name = f"{aws.API_REQUESTS.name}, {load.gets:g} for each result"
    moved_by = "quota; events in place of questions"
    return (_quota(name, load.rate * load.gets, plan, aws.API_REQUESTS, moved_by),)


def _account(load: Load, plan: Plan, uses: Sequence[Use]) -> Use:
    """All functions at a time: those of the stream as long as they are busy in each shard."""
    recorders = sum(use.used for use in uses if use.name == RECORDERS)
    readers = sum(use.used for use in uses if use.unit == "of a shard's time")
    used = recorders + readers * plan.partitions + load.rate * load.gets * _ANSWER_SECONDS
    return _quota(aws.CONCURRENCY.name, used, plan, aws.CONCURRENCY, "quota; api_concurrency")


def list_units(shards: int, page_size: int = 50) -> float:
    """Read units of a list of an endpoint, whose shards are asked each for its share of a page.

    The share is that of adapters/queries.py; entries are those of completed results.
    """
    share = min(page_size, 2 * page_size // shards + 10)
    (index,) = [each for each in indexes() if each.name == Index.BY_ENDPOINT]
    entry = index.entry(kinds()["completed"].items[0])
    assert entry
    return shards * read_units(share * item_bytes(entry), consistent=False)


def half_hours_to_grow(units: float) -> int:
    """An on-demand table takes twice its former peak at once, and twice that half an hour later.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
    """
    return max(0, math.ceil(math.log2(units / aws.NEW_TABLE_WRITES)))


RECOMMENDED: Final = {
    10: Plan(),
    100: Plan({"maximum_concurrency": 20}),
    1_000: Plan({"maximum_concurrency": 50, "shards": 64}, warm_writes=16_000),
    10_000: Plan(
        {
            "batch_size": 100,
            "batch_window_seconds": 1,
            "maximum_concurrency": 400,
            "workers": 32,
            "shards": 256,
        },
        warm_writes=64_000,
        output_prefixes=8,
        quotas={
            aws.TABLE_WRITES.name: 100_000,
            aws.CONCURRENCY.name: 3_000,
            aws.API_REQUESTS.name: 25_000,
            aws.EVENT_TARGETS.name: 50_000,
        },
    ),
}
"""By results a second."""
