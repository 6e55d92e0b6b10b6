"""Calculate how a load uses each limit. RECOMMENDED holds the recommended settings by load."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.dynamodb_units import TABLE, item_bytes, read_units
from benchmarks.reviewed_template import indexes, stream_mapping
from benchmarks.scale import limits
from benchmarks.scale.durations import (
    publish_events_seconds,
    record_result_durations,
    summarize_seconds,
)
from benchmarks.scale.partitions import Hottest, hottest
from benchmarks.scale.queue_simulation import QueueReport, Scenario, simulate
from benchmarks.scale.write_profiles import WriteProfile, write_profiles
from inference_results.contract import Index, Service
from infra.settings import Settings

_GET_SECONDS: Final = 0.02
"""Duration of status_api for one record (assumed)."""
_SUMMARY_UNITS: Final = 2
"""Write units of an item with more than 60 counters; see decision 0018."""


@dataclass(frozen=True)
class Load:
    """Results per second, spread evenly over `endpoints`.

    `failed` is the share of failures, `registered` means that each was submitted or registered
    here, and `gets` is the number of API reads per record.
    """

    rate: float
    failed: float = 0.05
    registered: bool = False
    endpoints: int = 1
    gets: float = 1

    @property
    def profiles(self) -> list[tuple[WriteProfile, float]]:
        """The write profiles of the results, with their rates per second."""
        prefix = "registered, " if self.registered else ""
        profiles = write_profiles()
        return [
            (profiles[f"{prefix}completed"], self.rate * (1 - self.failed)),
            (profiles[f"{prefix}failed"], self.rate * self.failed),
        ]

    @property
    def changes(self) -> float:
        """Changes per second in the table's stream. Lambda filters expired records out."""
        return sum(rate * len(profile.items) for profile, rate in self.profiles)

    def units(self, name: str) -> float:
        """Return the write units per second of the table or an index."""
        return sum(rate * profile.units[name] for profile, rate in self.profiles)


@dataclass(frozen=True)
class Plan:
    """A deployment: settings that differ from the defaults, and preparations on AWS.

    `warm_writes` is the warm throughput of the table and of each index (write units per second),
    `output_prefixes` the number of S3 prefixes, and `quotas` the raised quotas by limit.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    warm_writes: int = limits.NEW_TABLE_WRITES
    output_prefixes: int = 1
    quotas: Mapping[str, float] = field(default_factory=dict)

    @property
    def all_settings(self) -> Settings:
        return Settings(output_prefixes=("s3://customer-outputs/",), **self.settings)

    @property
    def partitions(self) -> int:
        """Partitions of the table, and of each index: as many as the warm throughput needs."""
        return math.ceil(self.warm_writes / limits.PARTITION_WRITES.value)

    def limit(self, it: limits.Limit) -> float:
        return self.quotas.get(it.name, it.value)


@dataclass(frozen=True)
class Use:
    """A limit and its used part, both in `unit`, and the setting or quota that raises it."""

    name: str
    used: float
    limit: float
    unit: str
    raised_by: str

    @property
    def share(self) -> float:
        return self.used / self.limit


@dataclass(frozen=True)
class Result:
    """The use of all limits by one load under one plan."""

    load: Load
    plan: Plan
    queue: QueueReport
    uses: tuple[Use, ...]

    @property
    def first_limit(self) -> Use:
        """The limit with the highest share used."""
        return max(self.uses, key=lambda use: use.share)

    @property
    def partitions_over_half(self) -> list[Use]:
        return [each for each in self.uses if "partition" in each.unit and each.share > 0.5]


def calculate(load: Load, plan: Plan, scenario: Scenario | None = None) -> Result:
    """Simulate the queue (by default for an hour) and calculate the use of each limit."""
    queue = simulate(scenario or Scenario(load.rate), plan.all_settings)
    uses = [*_input_uses(load, plan), *_recording_uses(load, plan, queue)]
    uses += [*_write_uses(load, plan), *stream_uses(load, plan), *_api_uses(load, plan)]
    uses.append(_account_use(load, plan, uses))
    return Result(load, plan, queue, tuple(uses))


def _quota(name: str, load: float, plan: Plan, limit: limits.Limit, raised_by: str = "") -> Use:
    return Use(name, load, plan.limit(limit), limit.unit, raised_by or "quota")


def _input_uses(load: Load, plan: Plan) -> Sequence[Use]:
    rate = load.rate / plan.output_prefixes
    spread = "more prefixes (S3 also splits a busy one, in half an hour to an hour)"
    return (
        _quota(limits.SNS_PUBLISH.name, load.rate, plan, limits.SNS_PUBLISH),
        _quota(limits.S3_PUT.name, rate, plan, limits.S3_PUT, spread),
        _quota(
            limits.S3_GET.name,
            rate,
            plan,
            limits.S3_GET,
            f"responses in the notification; {spread}",
        ),
    )


RECORDER_CONCURRENCY: Final = "concurrent record_result invocations, one queue"


def needed_concurrency(load: Load, settings: Settings, batch_size: float) -> float:
    """Calculate the concurrent record_result invocations by Little's law."""
    messages = max(1, round(batch_size))
    return load.rate / messages * record_result_durations(messages, settings.workers).mean


def _recording_uses(load: Load, plan: Plan, queue: QueueReport) -> Sequence[Use]:
    settings = plan.all_settings
    overloaded = queue.backlog > load.rate * 60
    batch_size = settings.batch_size if overloaded else queue.normal_batch_size
    return (
        Use(
            RECORDER_CONCURRENCY,
            needed_concurrency(load, settings, batch_size),
            settings.maximum_concurrency,
            "",
            "maximum_concurrency",
        ),
        _quota(limits.SQS_IN_FLIGHT.name, queue.normal_peak_in_flight, plan, limits.SQS_IN_FLIGHT),
    )


def _write_uses(load: Load, plan: Plan) -> Sequence[Use]:
    unit = "/s per partition"
    limit = limits.PARTITION_WRITES.value
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
        heat = index_heat(index, load, plan)
        uses.append(Use(f"{index}: hottest key", heat.key, limit, unit, "shards"))
        raised_by = "warm throughput and shards"
        uses.append(Use(f"{index}: hottest partition", heat.partition, limit, unit, raised_by))
    updates = _summary_updates(load, plan) / load.endpoints
    uses.append(
        Use(
            "summaries: hottest key",
            updates * _SUMMARY_UNITS,
            limit,
            unit,
            "nothing: one key per endpoint",
        )
    )
    largest = max((load.units(name), str(name)) for name in (TABLE, *Index))
    name = f"{limits.TABLE_WRITES.name} ({largest[1]})"
    uses.append(_quota(name, largest[0], plan, limits.TABLE_WRITES))
    return uses


def index_heat(index: Index, load: Load, plan: Plan) -> Hottest:
    """Calculate the hottest key and partition of an index.

    Its keys are the shards of an endpoint, of a status, or of both.
    """
    shards = plan.all_settings.shards
    units = defaultdict[str, float](float)
    for profile, rate in load.profiles:
        for status, number in _units_by_status(index, profile).items():
            units[status] += rate * number
    spread = shards * (1 if index == Index.BY_STATUS else load.endpoints)
    by_key: Counter[float] = Counter()
    for total in units.values():
        by_key[total / spread] += spread
    return hottest(by_key, plan.partitions)


def _units_by_status(index: Index, profile: WriteProfile) -> dict[str, int]:
    """Return the write units of one inference by status. Deleting an entry costs its old key."""
    total = profile.units[index]
    if not total:
        return {}
    if index == Index.BY_ENDPOINT:
        return {"": total}
    statuses = [item["status"]["S"] for item in profile.items]
    in_progress = write_profiles()["registered, completed"].units[index] if len(statuses) > 1 else 0
    units = {"InProgress": in_progress, statuses[-1]: total - in_progress}
    return {status: number for status, number in units.items() if number}


def _batch_size(changes: float, seconds: float, maximum: int) -> float:
    """Return the changes of one batch that gathers for some seconds."""
    return min(float(maximum), max(1.0, changes * seconds))


def _summary_updates(load: Load, plan: Plan) -> float:
    """Return updates per second: in each shard of the stream, one per endpoint of a batch."""
    mapping = stream_mapping(Service.SUMMARIZE)
    changes = load.changes / plan.partitions
    batch_size = _batch_size(changes, mapping.window_seconds, mapping.batch_size)
    return load.changes / batch_size * _endpoints_in(batch_size, load.endpoints)


def _endpoints_in(batch_size: float, endpoints: int) -> float:
    """Return the expected number of different endpoints in a batch."""
    return endpoints * (1 - (1 - 1 / endpoints) ** batch_size) if endpoints > 1 else 1


def stream_uses(load: Load, plan: Plan) -> Sequence[Use]:
    """Calculate the uses of publish_events and summarize.

    Each partition of the table has one shard in the stream.
    """
    changes = load.changes / plan.partitions
    unit = "of a shard's time"
    publishing = stream_mapping(Service.PUBLISH_EVENTS)
    summarizing = stream_mapping(Service.SUMMARIZE)
    full = publishing.batch_size
    publish_busy = changes / full * publish_events_seconds(full) / publishing.batches_at_a_time
    batch_size = _batch_size(changes, summarizing.window_seconds, summarizing.batch_size)
    endpoints = math.ceil(_endpoints_in(batch_size, load.endpoints))
    summarize_busy = changes / batch_size * summarize_seconds(round(batch_size), endpoints)
    gathered = _batch_size(changes, publish_events_seconds(10), full)
    calls = load.changes / gathered * math.ceil(gathered / limits.EVENTS_PER_CALL)
    return (
        Use("publish_events: time per shard", publish_busy, 1, unit, "warm throughput"),
        Use("summarize: time per shard", summarize_busy, 1, unit, "warm throughput"),
        _quota(limits.PUT_EVENTS.name, calls, plan, limits.PUT_EVENTS),
        _quota(f"{limits.EVENT_TARGETS.name}, one rule", load.changes, plan, limits.EVENT_TARGETS),
    )


def _api_uses(load: Load, plan: Plan) -> Sequence[Use]:
    name = f"{limits.API_REQUESTS.name}, {load.gets:g} per result"
    raised_by = "quota; events instead of requests"
    return (_quota(name, load.rate * load.gets, plan, limits.API_REQUESTS, raised_by),)


def _account_use(load: Load, plan: Plan, uses: Sequence[Use]) -> Use:
    """Add up the concurrency of all functions; a stream function counts per busy shard."""
    recorders = sum(use.used for use in uses if use.name == RECORDER_CONCURRENCY)
    stream = sum(use.used for use in uses if use.unit == "of a shard's time")
    used = recorders + stream * plan.partitions + load.rate * load.gets * _GET_SECONDS
    return _quota(limits.CONCURRENCY.name, used, plan, limits.CONCURRENCY, "quota; api_concurrency")


def list_units(shards: int, page_size: int = 50) -> float:
    """Return the read units of an endpoint's list, which queries each shard for a share of it.

    The share is that of adapters/table/queries.py. Entries are those of completed results.
    """
    share = min(page_size, 2 * page_size // shards + 10)
    (index,) = [each for each in indexes() if each.name == Index.BY_ENDPOINT]
    entry = index.entry(write_profiles()["completed"].items[0])
    assert entry
    return shards * read_units(share * item_bytes(entry), consistent=False)


def half_hours_to_grow(units: float) -> int:
    """Return the half hours until a new on-demand table accepts this many write units per second.

    It accepts twice its previous peak at once, and doubles that after half an hour each.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
    """
    return max(0, math.ceil(math.log2(units / limits.NEW_TABLE_WRITES)))


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
            limits.TABLE_WRITES.name: 100_000,
            limits.CONCURRENCY.name: 3_000,
            limits.API_REQUESTS.name: 25_000,
            limits.EVENT_TARGETS.name: 50_000,
        },
    ),
}
"""By results per second."""
