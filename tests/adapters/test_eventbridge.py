from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from inference_results.adapters.eventbridge import EventBus, entry_bytes
from inference_results.contract import DetailType
from inference_results.domain.changes.events import MAX_EVENT_BYTES, InferenceEvent
from inference_results.domain.changes.publish import PutResult
from tests.support.pools import InlinePool

BUS = "arn:aws:events:us-east-1:123456789012:event-bus/inference-events"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/inferences"


def has_time():
    return True


def inference_event(detail="{}", time="2026-01-25T12:00:00.500Z"):
    return InferenceEvent(
        event_id="0" * 32,
        inference_id="one",
        endpoint_name="here",
        recorded_at=None,
        detail_type=DetailType.COMPLETED,
        time=time,
        detail=detail,
    )


@pytest.fixture
def client(aws):
    return boto3.client("events", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def bus(client):
    return EventBus(client, BUS, TABLE, InlinePool())


@pytest.fixture
def stub(client):
    with Stubber(client) as stub:
        yield stub


@pytest.fixture
def sent(client):
    """The entries of each call."""
    sent = []
    client.meta.events.register(
        "provide-client-params.events.PutEvents",
        lambda params, **_: sent.append(params["Entries"]),
    )
    return sent


def put_events_response(*codes):
    """A response of PutEvents, with one error code or None for each entry."""
    entries = [
        {"ErrorCode": code, "ErrorMessage": "because"} if code else {"EventId": "id"}
        for code in codes
    ]
    return {"FailedEntryCount": sum(map(bool, codes)), "Entries": entries}


def test_an_event_names_its_bus_source_type_table_and_time(bus, stub, sent):
    stub.add_response("put_events", put_events_response(None), {"Entries": ANY})
    assert bus.put([inference_event('{"status":"Completed"}')], has_time) == [PutResult.ACCEPTED]
    (entry,) = sent[0]
    assert entry.pop("Time").isoformat() == "2026-01-25T12:00:00.500000+00:00"
    assert entry == {
        "EventBusName": BUS,
        "Source": "inference-results",
        "DetailType": "Inference Completed",
        "Resources": [TABLE],
        "Detail": '{"status":"Completed"}',
    }


def test_an_event_from_before_1970_is_sent_without_a_time(bus, stub, sent):
    stub.add_response("put_events", put_events_response(None), {"Entries": ANY})
    bus.put([inference_event(time="0001-01-01T00:00:00.000Z")], has_time)
    assert "Time" not in sent[0][0]


def test_each_event_has_its_own_result(bus, stub):
    codes = (
        None,
        "ThrottlingException",
        "InternalFailure",
        "MalformedDetail",
        "InvalidArgument",
        "AccessDeniedException",
        None,
    )
    stub.add_response("put_events", put_events_response(*codes), {"Entries": ANY})
    results = bus.put([inference_event()] * len(codes), has_time)
    assert [each.name for each in results] == [
        "ACCEPTED",
        "RETRY",
        "RETRY",
        "REJECTED",
        "REJECTED",
        "RETRY",
        "ACCEPTED",
    ]


def test_a_call_has_at_most_ten_entries(bus, stub, sent):
    for size in (10, 10, 3):
        stub.add_response("put_events", put_events_response(*[None] * size), {"Entries": ANY})
    events = [inference_event(f'{{"number":{number}}}') for number in range(23)]
    assert bus.put(events, has_time) == [PutResult.ACCEPTED] * 23
    assert [len(entries) for entries in sent] == [10, 10, 3]
    in_order = [entry["Detail"] for entries in sent for entry in entries]
    assert in_order == [each.detail for each in events]


def test_a_call_stays_within_the_size_limit(bus, stub, sent):
    """EventBridge counts UTF-8 bytes: an umlaut has two."""
    for size in (3, 3, 1):
        stub.add_response("put_events", put_events_response(*[None] * size), {"Entries": ANY})
    bus.put([inference_event("ä" * 40_000)] * 7, has_time)
    assert [len(entries) for entries in sent] == [3, 3, 1]
    for entries in sent:
        assert sum(entry_bytes(entry) for entry in entries) <= MAX_EVENT_BYTES


def test_entry_bytes_counts_as_eventbridge_does():
    """14 bytes for the time, and the bytes of source, type, resources and detail."""
    entry = {"Source": "abc", "DetailType": "de", "Resources": ["f", "gh"], "Detail": "ä"}
    assert entry_bytes(entry) == 14 + 3 + 2 + 3 + 2


def test_without_events_no_call_is_made(bus, stub, sent):
    assert bus.put([], has_time) == []
    assert sent == []


def test_no_call_starts_when_time_is_up(bus, stub, sent):
    stub.add_response("put_events", put_events_response(*[None] * 10), {"Entries": ANY})
    once = iter([True])
    results = bus.put([inference_event()] * 12, lambda: next(once, False))
    assert results == [PutResult.ACCEPTED] * 10 + [PutResult.RETRY] * 2
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 400), ("InternalException", 500)]
)
def test_a_transient_error_returns_only_the_entries_of_its_call(bus, stub, code, status):
    stub.add_response("put_events", put_events_response(*[None] * 10), {"Entries": ANY})
    stub.add_client_error("put_events", code, http_status_code=status)
    results = bus.put([inference_event()] * 12, has_time)
    assert results == [PutResult.ACCEPTED] * 10 + [PutResult.RETRY] * 2


def test_access_denied_is_raised(bus, stub):
    """The stream keeps the changes until the permission is fixed."""
    stub.add_client_error("put_events", "AccessDeniedException", http_status_code=400)
    with pytest.raises(ClientError, match="AccessDenied"):
        bus.put([inference_event()], has_time)


def test_calls_run_concurrently_and_their_results_keep_the_order(client, monkeypatch):
    all_started = Barrier(4, timeout=10)

    def put_events(Entries):
        all_started.wait()
        return put_events_response("InternalFailure" if Entries[0]["Detail"][0] == "1" else None)

    monkeypatch.setattr(client, "put_events", put_events)
    with ThreadPoolExecutor(4) as pool:
        events = [inference_event(f"{number}{' ' * 200_000}") for number in range(4)]
        results = EventBus(client, BUS, TABLE, pool).put(events, has_time)
    assert results == [PutResult.ACCEPTED, PutResult.RETRY, PutResult.ACCEPTED, PutResult.ACCEPTED]
