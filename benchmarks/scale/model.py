"""Calculate how a load uses each limit."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.dynamodb_units import TABLE
from benchmarks.reviewed_template import stream_mapping
from benchmarks.scale import limits
from benchmarks.scale.durations import (
    publish_events_seconds,
    record_result_seconds,
    summarize_seconds,
)
from benchmarks.scale.load import Load, Plan
from benchmarks.scale.partitions import index_heat
from inference_results.contract import Index, Service
from infra.settings import Settings

RECORDER_CONCURRENCY: Final = "concurrent record_result invocations, one queue"
_SHARD_TIME: Final = "time per shard"
_GET_SECONDS: Final = 0.02
"""Duration of status_api for one record (assumed)."""
_RECEIVE_SECONDS: Final = 0.05
"""Time in which the messages of one receive gather, without a batching window (assumed)."""
_SUMMARY_UNITS: Final = 2
"""Write units of an item with more than 60 counters; see decision 0018."""


@dataclass(frozen=True)
class Use:
    """A limit, the part of it that is used, and the setting or quota that raises it."""

    name: str
    used: float
    limit: float
    raised_by: str

    @property
    def share(self) -> float:
        return self.used / self.limit


@dataclass(frozen=True)
class Result:
    """The use of all limits by one load under one plan."""

    uses: tuple[Use, ...]

    @property
    def first_limit(self) -> Use:
        """The limit with the highest share used."""
        return max(self.uses, key=lambda use: use.share)

    @property
    def partitions_over_half(self) -> list[Use]:
        return [each for each in self.uses if "hottest" in each.name and each.share > 0.5]


def calculate(load: Load, plan: Plan) -> Result:
    uses = [*_input_uses(load, plan), *_recording_uses(load, plan), *_write_uses(load, plan)]
    uses += [*stream_uses(load, plan), *_quotas_of_changes(load, plan)]
    requests = load.rate * load.gets
    raised_by = "quota; events instead of requests"
    uses.append(
        _quota(plan, limits.API_REQUESTS, requests, raised_by, f", {load.gets:g} per result")
    )
    # A stream function counts once per busy shard.
    concurrency = requests * _GET_SECONDS
    concurrency += sum(use.used for use in uses if use.name == RECORDER_CONCURRENCY)
    concurrency += plan.partitions * sum(use.used for use in uses if _SHARD_TIME in use.name)
    uses.append(_quota(plan, limits.CONCURRENCY, concurrency, "quota; api_concurrency"))
    return Result(tuple(uses))


def _quota(
    plan: Plan, limit: limits.Limit, used: float, raised_by: str = "quota", detail: str = ""
) -> Use:
    return Use(limit.name + detail, used, plan.limit(limit), raised_by)


def _input_uses(load: Load, plan: Plan) -> Sequence[Use]:
    by_prefix = load.rate / plan.output_prefixes
    spread = "more prefixes (S3 also splits a busy one, in half an hour to an hour)"
    return (
        _quota(plan, limits.SNS_PUBLISH, load.rate),
        _quota(plan, limits.S3_PUT, by_prefix, spread),
        _quota(plan, limits.S3_GET, by_prefix, f"responses in the notification; {spread}"),
    )


def messages_per_invocation(load: Load, settings: Settings) -> float:
    """Share the messages that gather in the batching window between the first pollers."""
    gathered = load.rate * max(settings.batch_window_seconds, _RECEIVE_SECONDS)
    return min(float(settings.batch_size), max(1.0, gathered / limits.FIRST_POLLERS))


def needed_concurrency(load: Load, settings: Settings) -> float:
    """Calculate the concurrent record_result invocations by Little's law."""
    messages = messages_per_invocation(load, settings)
    return load.rate / messages * record_result_seconds(round(messages), settings.workers)


def _recording_uses(load: Load, plan: Plan) -> Sequence[Use]:
    settings = plan.all_settings
    needed, maximum = needed_concurrency(load, settings), settings.maximum_concurrency
    in_flight = min(needed, maximum) * messages_per_invocation(load, settings)
    return (
        Use(RECORDER_CONCURRENCY, needed, maximum, "maximum_concurrency"),
        _quota(plan, limits.SQS_IN_FLIGHT, in_flight),
    )


def _write_uses(load: Load, plan: Plan) -> Iterator[Use]:
    limit = limits.PARTITION_WRITES.value
    of_table = load.units(TABLE) / plan.partitions
    yield Use("table: hottest partition", of_table, limit, "warm throughput")
    for index in Index:
        heat = index_heat(index, load, plan)
        yield Use(f"{index}: hottest key", heat.key, limit, "shards")
        raised_by = "warm throughput and shards"
        yield Use(f"{index}: hottest partition", heat.partition, limit, raised_by)
    of_endpoint = _summary_updates(load, plan) / load.endpoints * _SUMMARY_UNITS
    yield Use("summaries: hottest key", of_endpoint, limit, "nothing: one key per endpoint")
    units, name = max((load.units(name), str(name)) for name in (TABLE, *Index))
    yield _quota(plan, limits.TABLE_WRITES, units, detail=f" ({name})")


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
    publishing = stream_mapping(Service.PUBLISH_EVENTS)
    summarizing = stream_mapping(Service.SUMMARIZE)
    full = publishing.batch_size
    publish_busy = changes / full * publish_events_seconds(full) / publishing.batches_at_a_time
    batch_size = _batch_size(changes, summarizing.window_seconds, summarizing.batch_size)
    endpoints = math.ceil(_endpoints_in(batch_size, load.endpoints))
    summarize_busy = changes / batch_size * summarize_seconds(round(batch_size), endpoints)
    return (
        Use(f"publish_events: {_SHARD_TIME}", publish_busy, 1, "warm throughput"),
        Use(f"summarize: {_SHARD_TIME}", summarize_busy, 1, "warm throughput"),
    )


def _quotas_of_changes(load: Load, plan: Plan) -> Sequence[Use]:
    changes, full = (
        load.changes / plan.partitions,
        stream_mapping(Service.PUBLISH_EVENTS).batch_size,
    )
    gathered = _batch_size(changes, publish_events_seconds(10), full)
    calls = load.changes / gathered * math.ceil(gathered / limits.EVENTS_PER_CALL)
    return (
        _quota(plan, limits.PUT_EVENTS, calls),
        _quota(plan, limits.EVENT_TARGETS, load.changes, detail=", one rule"),
    )
