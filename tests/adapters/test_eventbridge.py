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
from tests.pools import InlinePool

BUS = "arn:aws:events:us-east-1:123456789012:event-bus/inference-events"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/inferences"


def in_time():
    return True


def announcement(detail="{}", time="2026-01-25T12:00:00.500Z"):
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


def answer(*codes):
    """What PutEvents says of each entry."""
    entries = [
        {"ErrorCode": code, "ErrorMessage": "because"} if code else {"EventId": "id"}
        for code in codes
    ]
    return {"FailedEntryCount": sum(map(bool, codes)), "Entries": entries}


def test_an_event_names_its_bus_source_type_table_and_time(bus, stub, sent):
    stub.add_response("put_events", answer(None), {"Entries": ANY})
    assert bus.put([announcement('{"status":"Completed"}')], in_time) == [PutResult.TAKEN]
    (entry,) = sent[0]
    assert entry.pop("Time").isoformat() == "2026-01-25T12:00:00.500000+00:00"
    assert entry == {
        "EventBusName": BUS,
        "Source": "inference-results",
        "DetailType": "Inference Completed",
        "Resources": [TABLE],
        "Detail": '{"status":"Completed"}',
    }


def test_a_time_before_1970_is_left_to_the_bus(bus, stub, sent):
    stub.add_response("put_events", answer(None), {"Entries": ANY})
    bus.put([announcement(time="0001-01-01T00:00:00.000Z")], in_time)
    assert "Time" not in sent[0][0]


def test_each_entry_has_a_reply_of_its_own(bus, stub):
    codes = (
        None,
        "ThrottlingException",
        "InternalFailure",
        "MalformedDetail",
        "InvalidArgument",
        "AccessDeniedException",
        None,
    )
    stub.add_response("put_events", answer(*codes), {"Entries": ANY})
    replies = bus.put([announcement()] * len(codes), in_time)
    assert [each.name for each in replies] == [
        "TAKEN",
        "NOT_NOW",
        "NOT_NOW",
        "NEVER",
        "NEVER",
        "NOT_NOW",
        "TAKEN",
    ]


def test_a_call_has_ten_entries_at_most(bus, stub, sent):
    for size in (10, 10, 3):
        stub.add_response("put_events", answer(*[None] * size), {"Entries": ANY})
    events = [announcement(f'{{"number":{number}}}') for number in range(23)]
    assert bus.put(events, in_time) == [PutResult.TAKEN] * 23
    assert [len(entries) for entries in sent] == [10, 10, 3]
    in_order = [entry["Detail"] for entries in sent for entry in entries]
    assert in_order == [each.detail for each in events]


def test_a_call_is_no_larger_than_the_limit(bus, stub, sent):
    """In bytes of UTF-8: an umlaut has two."""
    for size in (3, 3, 1):
        stub.add_response("put_events", answer(*[None] * size), {"Entries": ANY})
    bus.put([announcement("ä" * 40_000)] * 7, in_time)
    assert [len(entries) for entries in sent] == [3, 3, 1]
    for entries in sent:
        assert sum(entry_bytes(entry) for entry in entries) <= MAX_EVENT_BYTES


def test_the_size_of_an_entry_is_what_aws_counts():
    """14 for the time, and the bytes of source, type, resources and detail."""
    entry = {"Source": "abc", "DetailType": "de", "Resources": ["f", "gh"], "Detail": "ä"}
    assert entry_bytes(entry) == 14 + 3 + 2 + 3 + 2


def test_nothing_to_announce_is_no_call(bus, stub, sent):
    assert bus.put([], in_time) == []
    assert sent == []


def test_no_call_is_begun_when_the_time_is_up(bus, stub, sent):
    stub.add_response("put_events", answer(*[None] * 10), {"Entries": ANY})
    once = iter([True])
    replies = bus.put([announcement()] * 12, lambda: next(once, False))
    assert replies == [PutResult.TAKEN] * 10 + [PutResult.NOT_NOW] * 2
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 400), ("InternalException", 500)]
)
def test_a_call_that_fails_for_now_leaves_its_entries_and_no_others(bus, stub, code, status):
    stub.add_response("put_events", answer(*[None] * 10), {"Entries": ANY})
    stub.add_client_error("put_events", code, http_status_code=status)
    replies = bus.put([announcement()] * 12, in_time)
    assert replies == [PutResult.TAKEN] * 10 + [PutResult.NOT_NOW] * 2


def test_what_aws_forbids_is_raised(bus, stub):
    """No retry helps for now; the stream keeps the changes until the rights are repaired."""
    stub.add_client_error("put_events", "AccessDeniedException", http_status_code=400)
    with pytest.raises(ClientError, match="AccessDenied"):
        bus.put([announcement()], in_time)


def test_calls_go_side_by_side_and_are_answered_in_order(client, monkeypatch):
    all_begun = Barrier(4, timeout=10)

    def put_events(Entries):
        all_begun.wait()
        return answer("InternalFailure" if Entries[0]["Detail"][0] == "1" else None)

    monkeypatch.setattr(client, "put_events", put_events)
    with ThreadPoolExecutor(4) as pool:
        events = [announcement(f"{number}{' ' * 200_000}") for number in range(4)]
        replies = EventBus(client, BUS, TABLE, pool).put(events, in_time)
    assert replies == [PutResult.TAKEN, PutResult.NOT_NOW, PutResult.TAKEN, PutResult.TAKEN]
