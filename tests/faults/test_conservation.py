"""Nothing is lost and nothing wrong, while AWS fails and processes are killed.

RESULTS says how many results are published; SEED repeats what was drawn.
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
from tests.deploy.conftest import eventually
from tests.deploy.listener import Listener, listening_queue
from tests.faults.conftest import REPORT
from tests.faults.fault_proxy import KINDS, FaultProxy
from tests.faults.published import ENDPOINTS, Published, draw
from tests.faults.storm import (
    BATCHES_AT_A_TIME,
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
from tests.samples import body

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
OF_THE_RECORDER = {
    Attribute.RECORDED_AT,
    Attribute.EXPIRES_AT,
    Attribute.EVENT_ORDER,
    Attribute.ENDPOINT_SHARD,
    Attribute.ENDPOINT_SORT,
    Attribute.STATUS_SHARD,
    Attribute.STATUS_SORT,
    Attribute.ENDPOINT_STATUS_SHARD,
}
"""What a notice does not tell: when it was recorded, and the places in the indexes."""


@dataclass
class Storm:
    """How long it lasted; the faults that fired, by service and kind, and the calls, by service."""

    seconds: float
    fired: Counter[tuple[str, str]]
    requests: Counter[str]


@dataclass
class Settled:
    """What is there when the dust has settled."""

    published: Published
    storm: Storm
    recorded: set[tuple[str, str]]
    """Before the dead letters were redriven."""
    records: dict[tuple[str, str], dict[str, Any]]
    """Afterwards."""
    parked: list[tuple[str, str]]
    """Texts and reasons, those included that were dead letters before."""
    dead: list[str]
    in_flight: int
    changes: list[tuple[str, str, str, str]]
    events: list[dict[str, Any]]
    summaries: dict[tuple[str, str], tuple[dict[str, int], int]]
    killed: Counter[str]
    killed_in_a_batch: Counter[str]


@dataclass
class Stage:
    """The deployed system, its functions led through the proxy, and who listens to its bus."""

    outputs: dict[str, str]
    queues: list[Queue]
    functions: DeployedFunctions
    proxy: FaultProxy
    workers: Workers
    listener: Listener


@pytest.fixture(scope="module")
def settled(folder, request):
    began = time.monotonic()
    with listening_queue(folder.outputs(), "storm", list(ENDPOINTS)) as url:
        stage = _prepare(folder, Listener(url))
        published = draw(RESULTS, SEED, *_stored(stage.outputs))
        storm_passed = _publish_in_a_storm(stage, published)
        dead, recorded = _redrive(stage)
        found = _collect(stage, published, storm_passed, dead, recorded)
    request.config.stash[REPORT] += _report(found, time.monotonic() - began)
    return found


def _prepare(folder, listener):
    outputs = folder.outputs()
    proxy = FaultProxy(folder)
    proxy.start()
    queues = [Queue(outputs[name]) for name in QUEUES]
    # Endpoints that came into being were notified of: nothing of that is to fail.
    eventually(partial(_nothing_in_flight, queues), 60)
    functions = DeployedFunctions()
    functions.send_through(proxy)
    functions.limit_batches(BATCHES_AT_A_TIME)
    for each in queues:
        each.set_visibility_timeout(VISIBILITY_SECONDS)
    workers = Workers(folder, functions, proxy.port)
    return Stage(outputs, queues, functions, proxy, workers, listener)


def _publish_in_a_storm(stage, published):
    """Until nothing is in flight."""
    began = time.monotonic()
    with storm(stage.functions, stage.proxy, stage.workers, stage.listener):
        publish(stage.outputs, published.notices)
        eventually(partial(_nothing_in_flight, stage.queues), 300)
        seconds = time.monotonic() - began
        passed = Storm(seconds, stage.proxy.fired(), stage.proxy.requests())
    stage.functions.read_stream(*READERS)
    return passed


def _redrive(stage):
    """Publish dead letters again, without faults; they, and what had been recorded before."""
    dead = [each["Body"] for name in DEAD_LETTERS for each in Queue(stage.outputs[name]).messages()]
    recorded = set(_records(stage.outputs))
    stage.proxy.stop_injecting()
    publish(stage.outputs, dead)
    eventually(partial(_nothing_in_flight, stage.queues), 60)
    return dead, recorded


def _collect(stage, published, storm_passed, dead, recorded):
    outputs, listener = stage.outputs, stage.listener
    records = _records(outputs)
    changes = _changes(outputs)
    summaries = _summaries(outputs)

    def all_is_announced():
        listener.listen()
        return len(_distinct(listener.events)) >= len(changes)

    _wait_for(all_is_announced)
    _wait_for(lambda: summaries() == _counted(records))
    listener.listen()  # there may be more than changes
    return Settled(
        published=published,
        storm=storm_passed,
        recorded=recorded,
        records=records,
        parked=[
            (each["Body"], each["MessageAttributes"]["reason"]["StringValue"])
            for each in Queue(outputs[StackOutput.UNPROCESSABLE_QUEUE_URL]).messages()
        ],
        dead=dead,
        in_flight=sum(each.in_flight() for each in stage.queues),
        changes=changes,
        events=listener.events,
        summaries=summaries(),
        killed=stage.workers.killed,
        killed_in_a_batch=stage.workers.killed_in_a_batch(),
    )


def _stored(outputs):
    chance = random.Random(SEED)  # noqa: S311 - to be repeated
    number = min(400, RESULTS)
    outputs_stored = store_objects(
        outputs,
        f"{OUTPUT_PREFIX}storm/",
        [chance.randbytes(chance.choice((at + 1, at + 2000))) for at in range(number)],
    )
    failures = store_objects(
        outputs,
        f"{FAILURE_PREFIX}storm/",
        [f"the model failed: {at} ".encode() * (at % 60 + 1) for at in range(number // 4)],
    )
    return outputs_stored, failures


def _nothing_in_flight(queues):
    return not any(each.in_flight() for each in queues)


def _wait_for(condition, seconds=240):
    """Gives up without failing: the tests then show what is missing."""
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
    return {(it["inference_id"], it["endpoint_name"]): it for it in items}


def _changes(outputs):
    told = changes_of(outputs[StackOutput.TABLE_NAME])
    return [change for each in told if (change := _change(each)) is not None]


def _change(told):
    """Identity, status and time of a change of a status; None if it stayed."""
    before, after = (from_item(told.get(name, {})) for name in ("OldImage", "NewImage"))
    if before.get(Attribute.EVENT_ORDER) == after.get(Attribute.EVENT_ORDER):
        return None
    return _told(after)


def _told(record):
    return tuple(record[it] for it in ("inference_id", "endpoint_name", "status", "event_time"))


def _distinct(events):
    return {each["detail"]["event_id"] for each in events}


def _summaries(outputs):
    table = SummaryStore(boto3.client("dynamodb"), outputs[StackOutput.SUMMARIES_TABLE_NAME])
    summarize = SummarizeEndpoint(summaries=table, now=partial(datetime.now, UTC))

    def summaries():
        days = {name: summarize(name)["days"] for name in ENDPOINTS}
        return {
            (name, day["day"]): (day["counts"], day["latency"]["count"])
            for name, of_endpoint in days.items()
            for day in of_endpoint
            if day["counts"]
        }

    return summaries


def _counted(records):
    counts = {}
    for each in records.values():
        day = each["event_time"][:10]
        counts.setdefault((each["endpoint_name"], day), Counter())[each["status"]] += 1
    return {key: (dict(each), each.total()) for key, each in counts.items()}


def _report(found, seconds):
    published, storm_passed = found.published, found.storm
    return [
        "",
        f"seed {SEED}: {len(published.results)} results and {len(published.poison)} poison "
        f"in {len(published.notices)} notices; storm {storm_passed.seconds:.0f} s "
        f"({len(published.notices) / storm_passed.seconds:.1f} notices/s), in all {seconds:.0f} s",
        f"recorded {len(found.recorded)}, parked {len({it for it, _ in found.parked})} "
        f"(messages: {len(found.parked)}), dead-lettered {len(set(found.dead))} "
        f"(messages: {len(found.dead)}), in flight {found.in_flight}",
        f"status changes {len(found.changes)}, announced {len(_distinct(found.events))} "
        f"(events: {len(found.events)}), counted in summaries "
        f"{sum(total for _, total in found.summaries.values())}",
        f"calls in the storm {dict(storm_passed.requests)}",
        *(
            f"faults on {service}: "
            + ", ".join(f"{kind} {storm_passed.fired[service, kind]}" for kind in KINDS)
            for service in ("s3", "dynamodb", "sqs")
        ),
        f"processes killed {dict(found.killed)}, "
        f"of them in a batch {dict(found.killed_in_a_batch)}",
    ]


def test_every_good_inference_has_exactly_the_right_record(settled):
    wrong = {
        each.identity: (each.record, settled.records.get(each.identity))
        for each in settled.published.results
        if _of_the_notice(settled.records.get(each.identity, {})) != each.record
    }
    assert not wrong, f"{len(wrong)} are wrong; one of them: {wrong.popitem()}"


def _of_the_notice(record):
    told = {name: value for name, value in record.items() if name not in OF_THE_RECORDER}
    # Where S3's answer broke off, its status is all that is known.
    if told.get("output_error", {}).get("code") == "404":
        told["output_error"]["code"] = "NoSuchKey"
    return told


def test_nothing_is_recorded_that_was_not_published(settled):
    assert settled.records.keys() <= {each.identity for each in settled.published.results}


def test_every_poison_is_set_aside_with_its_reason(settled):
    parked = set(settled.parked)
    poison = settled.published.poison
    assert [it.kind for it in poison if (it.text, it.reason) not in parked] == []


def test_nothing_but_poison_is_parked(settled):
    assert {it for it, _ in settled.parked} <= {it.text for it in settled.published.poison}


def test_published_is_recorded_or_parked_or_dead_lettered(settled):
    """Identity by identity, before anything was redriven."""
    published = settled.published
    dead = set(settled.dead)
    parked = {it for it, _ in settled.parked}
    recorded = {it.identity for it in published.results if it.identity in settled.recorded}
    only_dead = {
        it.identity
        for it in published.results
        if it.identity not in recorded and all(body(event) in dead for event in it.events)
    }
    poison_parked = {it.text for it in published.poison if it.text in parked}
    poison_dead = {it.text for it in published.poison if it.text in dead - parked}
    total = len(recorded) + len(only_dead) + len(poison_parked) + len(poison_dead)
    assert total == len(published.results) + len(published.poison)
    assert dead <= set(published.notices)


def test_nothing_is_in_flight(settled):
    assert not settled.in_flight


def test_what_is_announced_is_what_changed(settled):
    told = {each["detail"]["event_id"]: _told(each["detail"]) for each in settled.events}
    assert Counter(told.values()) == Counter(settled.changes)


def test_every_record_is_counted_once(settled):
    assert settled.summaries == _counted(settled.records)


@pytest.mark.parametrize("service", ["s3", "dynamodb", "sqs"])
def test_every_kind_of_fault_was_injected(settled, service):
    assert [kind for kind in KINDS if not settled.storm.fired[service, kind]] == []
    assert settled.storm.fired[service, "throttling"] / settled.storm.requests[service] > 0.19


def test_processes_were_killed_within_batches(settled):
    assert settled.killed_in_a_batch[Service.RECORD_RESULT]
