"""No result is lost or wrong while AWS calls fail and processes are killed.

RESULTS is the number of results; SEED repeats a run's random choices.
"""

import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
import pytest

from inference_results.adapters.table.items import from_item
from inference_results.adapters.table.summaries import SummaryStore
from inference_results.contract import Attribute, Service, StackOutput
from inference_results.domain.summaries.summarize import SummarizeEndpoint
from local.deployment import FAILURE_PREFIX, OUTPUT_PREFIX
from tests.deploy.listener import Listener, event_queue
from tests.faults.fault_proxy import KINDS, FaultProxy
from tests.faults.published import ENDPOINTS, Published, generate
from tests.faults.report import REPORT
from tests.faults.storm import (
    BATCH_CONCURRENCY,
    QUEUES,
    READERS,
    VISIBILITY_SECONDS,
    DeployedFunctions,
    Queue,
    Workers,
    changes_of,
    publish,
    store_objects,
    storm,
)
from tests.support.samples import body
from tests.support.waiting import eventually

RESULTS = int(os.environ["RESULTS"])
SEED = int(os.environ.get("SEED", random.randrange(1_000_000)))  # noqa: S311 - printed

DEAD_LETTERS = (
    StackOutput.COMPLETED_DEAD_LETTER_QUEUE_URL,
    StackOutput.FAILED_DEAD_LETTER_QUEUE_URL,
    StackOutput.COMPLETED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL,
    StackOutput.FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL,
    StackOutput.SUMMARY_DEAD_LETTER_QUEUE_URL,
    StackOutput.EVENT_DEAD_LETTER_QUEUE_URL,
)
SET_BY_RECORD_RESULT = {
    Attribute.RECORDED_AT,
    Attribute.EXPIRES_AT,
    Attribute.EVENT_ORDER,
    Attribute.ENDPOINT_SHARD,
    Attribute.ENDPOINT_SORT,
    Attribute.STATUS_SHARD,
    Attribute.STATUS_SORT,
    Attribute.ENDPOINT_STATUS_SHARD,
}
"""Attributes that do not follow from the notification: times of recording, and index keys."""


@dataclass
class StormReport:
    """Duration of the storm, faults by service and kind, and calls by service."""

    seconds: float
    fired: Counter[tuple[str, str]]
    requests: Counter[str]


@dataclass
class Outcome:
    """The state of the system after the storm."""

    published: Published
    storm: StormReport
    recorded: set[tuple[str, str]]
    """Records before the dead letters were redriven."""
    records: dict[tuple[str, str], dict[str, Any]]
    """Records afterwards."""
    rejected: list[tuple[str, str]]
    """Texts and reasons of unprocessable messages, including former dead letters."""
    dead_letters: list[str]
    in_flight: int
    changes: list[tuple[str, str, str, str]]
    events: list[dict[str, Any]]
    summaries: dict[tuple[str, str], tuple[dict[str, int], int]]
    killed: Counter[str]
    killed_in_a_batch: Counter[str]


@dataclass
class DeployedSystem:
    """The deployed system, with functions that use the proxy and a listener on the bus."""

    outputs: dict[str, str]
    queues: list[Queue]
    functions: DeployedFunctions
    proxy: FaultProxy
    workers: Workers
    listener: Listener


@pytest.fixture(scope="module")
def outcome(folder, request):
    started = time.monotonic()
    with event_queue(folder.outputs(), "storm", list(ENDPOINTS)) as url:
        deployed = _prepare(folder, Listener(url))
        published = generate(RESULTS, SEED, *_store_outputs_and_failures(deployed.outputs))
        storm_report = _publish_in_a_storm(deployed, published)
        dead_letters, recorded = _redrive(deployed)
        outcome = _collect(deployed, published, storm_report, dead_letters, recorded)
    request.config.stash[REPORT] += _report(outcome, time.monotonic() - started)
    return outcome


def _prepare(folder, listener):
    outputs = folder.outputs()
    proxy = FaultProxy(folder)
    proxy.start()
    queues = [Queue(outputs[name]) for name in QUEUES]
    # Test notifications of new endpoints must be processed before faults start.
    eventually(partial(_nothing_in_flight, queues), 60)
    functions = DeployedFunctions()
    functions.send_through(proxy)
    functions.limit_batches(BATCH_CONCURRENCY)
    for each in queues:
        each.set_visibility_timeout(VISIBILITY_SECONDS)
    workers = Workers(folder, functions, proxy.port)
    return DeployedSystem(outputs, queues, functions, proxy, workers, listener)


def _publish_in_a_storm(deployed, published):
    """Publish during a storm until no message is in flight."""
    started = time.monotonic()
    with storm(deployed.functions, deployed.proxy, deployed.workers, deployed.listener):
        publish(deployed.outputs, published.messages)
        eventually(partial(_nothing_in_flight, deployed.queues), 300)
        seconds = time.monotonic() - started
        report = StormReport(seconds, deployed.proxy.fired(), deployed.proxy.requests())
    deployed.functions.read_stream(*READERS)
    return report


def _redrive(deployed):
    """Publish dead letters again, without faults. Return them and the records before."""
    dead_letters = [
        each["Body"] for name in DEAD_LETTERS for each in Queue(deployed.outputs[name]).messages()
    ]
    recorded = set(_records(deployed.outputs))
    deployed.proxy.stop_injecting()
    publish(deployed.outputs, dead_letters)
    eventually(partial(_nothing_in_flight, deployed.queues), 60)
    return dead_letters, recorded


def _collect(deployed, published, storm_report, dead_letters, recorded):
    outputs, listener = deployed.outputs, deployed.listener
    records = _records(outputs)
    changes = _changes(outputs)
    summaries = _summaries(outputs)

    def all_events_received():
        listener.receive()
        return len(_event_ids(listener.events)) >= len(changes)

    _wait_until(all_events_received)
    _wait_until(lambda: summaries() == _count_by_day(records))
    listener.receive()  # receive events beyond the expected number
    return Outcome(
        published=published,
        storm=storm_report,
        recorded=recorded,
        records=records,
        rejected=[
            (each["Body"], each["MessageAttributes"]["reason"]["StringValue"])
            for each in Queue(outputs[StackOutput.UNPROCESSABLE_QUEUE_URL]).messages()
        ],
        dead_letters=dead_letters,
        in_flight=sum(each.in_flight() for each in deployed.queues),
        changes=changes,
        events=listener.events,
        summaries=summaries(),
        killed=deployed.workers.killed,
        killed_in_a_batch=deployed.workers.killed_in_a_batch(),
    )


def _store_outputs_and_failures(outputs):
    rng = random.Random(SEED)  # noqa: S311 - repeatable
    number = min(400, RESULTS)
    outputs_stored = store_objects(
        outputs,
        f"{OUTPUT_PREFIX}storm/",
        [rng.randbytes(rng.choice((index + 1, index + 2000))) for index in range(number)],
    )
    failures = store_objects(
        outputs,
        f"{FAILURE_PREFIX}storm/",
        [f"the model failed: {index} ".encode() * (index % 60 + 1) for index in range(number // 4)],
    )
    return outputs_stored, failures


def _nothing_in_flight(queues):
    return not any(each.in_flight() for each in queues)


def _wait_until(condition, seconds=240):
    """Wait without failing on timeout: the tests then show what is missing."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.5)


def _records(outputs):
    pages = (
        boto3.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=outputs[StackOutput.TABLE_NAME], ConsistentRead=True)
    )
    items = [from_item(item) for page in pages for item in page["Items"]]
    return {(each["inference_id"], each["endpoint_name"]): each for each in items}


def _changes(outputs):
    changes = changes_of(outputs[StackOutput.TABLE_NAME])
    return [change for each in changes if (change := _status_change(each)) is not None]


def _status_change(images):
    """Return identity, status and time after a change of status, or None for other changes."""
    before, after = (from_item(images.get(name, {})) for name in ("OldImage", "NewImage"))
    if before.get(Attribute.EVENT_ORDER) == after.get(Attribute.EVENT_ORDER):
        return None
    return _identity_and_status(after)


def _identity_and_status(record):
    return tuple(record[each] for each in ("inference_id", "endpoint_name", "status", "event_time"))


def _event_ids(events):
    return {each["detail"]["event_id"] for each in events}


def _summaries(outputs):
    table = SummaryStore(boto3.client("dynamodb"), outputs[StackOutput.SUMMARIES_TABLE_NAME])
    summarize = SummarizeEndpoint(summaries=table, now=partial(datetime.now, UTC))

    def summaries():
        days = {name: summarize(name)["days"] for name in ENDPOINTS}
        return {
            (name, day["day"]): (day["counts"], day["latency"]["count"])
            for name, endpoint_days in days.items()
            for day in endpoint_days
            if day["counts"]
        }

    return summaries


def _count_by_day(records):
    counts = {}
    for each in records.values():
        day = each["event_time"][:10]
        counts.setdefault((each["endpoint_name"], day), Counter())[each["status"]] += 1
    return {key: (dict(each), each.total()) for key, each in counts.items()}


def _report(outcome, seconds):
    published, storm_report = outcome.published, outcome.storm
    return [
        "",
        f"seed {SEED}: {len(published.results)} results and {len(published.malformed)} malformed "
        f"in {len(published.messages)} messages; storm {storm_report.seconds:.0f} s "
        f"({len(published.messages) / storm_report.seconds:.1f} messages/s), total {seconds:.0f} s",
        f"recorded {len(outcome.recorded)}, rejected {len({each for each, _ in outcome.rejected})} "
        f"(messages: {len(outcome.rejected)}), dead letters {len(set(outcome.dead_letters))} "
        f"(messages: {len(outcome.dead_letters)}), in flight {outcome.in_flight}",
        f"status changes {len(outcome.changes)}, published {len(_event_ids(outcome.events))} "
        f"(events: {len(outcome.events)}), counted in summaries "
        f"{sum(total for _, total in outcome.summaries.values())}",
        f"calls in the storm {dict(storm_report.requests)}",
        *(
            f"faults on {service}: "
            + ", ".join(f"{kind} {storm_report.fired[service, kind]}" for kind in KINDS)
            for service in ("s3", "dynamodb", "sqs")
        ),
        f"processes killed {dict(outcome.killed)}, "
        f"of them in a batch {dict(outcome.killed_in_a_batch)}",
    ]


def test_every_valid_inference_has_exactly_the_expected_record(outcome):
    wrong = {
        each.identity: (each.record, outcome.records.get(each.identity))
        for each in outcome.published.results
        if _comparable(outcome.records.get(each.identity, {})) != each.record
    }
    assert not wrong, f"{len(wrong)} are wrong; one of them: {wrong.popitem()}"


def _comparable(record):
    known = {name: value for name, value in record.items() if name not in SET_BY_RECORD_RESULT}
    # If S3's response was cut off, only its status is known.
    if known.get("output_error", {}).get("code") == "404":
        known["output_error"]["code"] = "NoSuchKey"
    return known


def test_nothing_is_recorded_that_was_not_published(outcome):
    assert outcome.records.keys() <= {each.identity for each in outcome.published.results}


def test_every_malformed_message_is_rejected_with_its_reason(outcome):
    rejected = set(outcome.rejected)
    malformed = outcome.published.malformed
    assert [each.kind for each in malformed if (each.text, each.reason) not in rejected] == []


def test_only_malformed_messages_are_rejected(outcome):
    assert {each for each, _ in outcome.rejected} <= {
        each.text for each in outcome.published.malformed
    }


def test_every_message_is_recorded_rejected_or_a_dead_letter(outcome):
    """Checked by identity, before dead letters were redriven."""
    published = outcome.published
    dead_letters = set(outcome.dead_letters)
    rejected = {each for each, _ in outcome.rejected}
    recorded = {each.identity for each in published.results if each.identity in outcome.recorded}
    only_dead_letters = {
        each.identity
        for each in published.results
        if each.identity not in recorded
        and all(body(event) in dead_letters for event in each.events)
    }
    rejected_texts = {each.text for each in published.malformed if each.text in rejected}
    dead_texts = {each.text for each in published.malformed if each.text in dead_letters - rejected}
    total = len(recorded) + len(only_dead_letters) + len(rejected_texts) + len(dead_texts)
    assert total == len(published.results) + len(published.malformed)
    assert dead_letters <= set(published.messages)


def test_no_message_is_in_flight(outcome):
    assert not outcome.in_flight


def test_the_published_events_match_the_changes(outcome):
    events = {
        each["detail"]["event_id"]: _identity_and_status(each["detail"]) for each in outcome.events
    }
    assert Counter(events.values()) == Counter(outcome.changes)


def test_every_record_is_counted_once(outcome):
    assert outcome.summaries == _count_by_day(outcome.records)


@pytest.mark.parametrize("service", ["s3", "dynamodb", "sqs"])
def test_every_kind_of_fault_was_injected(outcome, service):
    assert [kind for kind in KINDS if not outcome.storm.fired[service, kind]] == []
    assert outcome.storm.fired[service, "throttling"] / outcome.storm.requests[service] > 0.19


def test_processes_were_killed_during_batches(outcome):
    assert outcome.killed_in_a_batch[Service.RECORD_RESULT]
