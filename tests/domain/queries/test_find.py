import json

import pytest

from inference_results.domain.queries.find import FindInference, FindInferences, limit_response_size
from inference_results.domain.record.errors import (
    AmbiguousInference,
    InvalidParameter,
    RecordExpired,
    UnknownInference,
)
from tests.support.fakes import NOW

SECONDS = int(NOW.timestamp())


class FakeInferences:
    def __init__(self, *items):
        self.items = items

    def find(self, inference_id, endpoint_name=None):
        return [
            item
            for item in self.items
            if item["inference_id"] == inference_id
            and endpoint_name in (None, item["endpoint_name"])
        ]

    def find_many(self, inference_ids, endpoint_name=None):
        return [item for each in inference_ids for item in self.find(each, endpoint_name)]


def item(**attributes):
    return {
        "inference_id": "one",
        "endpoint_name": "here",
        "status": "Completed",
        "expires_at": SECONDS + 60,
        "event_order": "internal",
        "endpoint_shard": "1#here",
        "submission": {"order": "internal", "stage": "Preparing", "held_until": "internal"},
        **attributes,
    }


def find(*items, inference_id="one", endpoint_name=None):
    find_inference = FindInference(inferences=FakeInferences(*items), now=lambda: NOW)
    return find_inference(inference_id, endpoint_name)


def test_a_record_has_no_internal_attributes():
    assert find(item()) == {
        "inference_id": "one",
        "endpoint_name": "here",
        "status": "Completed",
        "expires_at": "2026-01-25T12:01:00.000Z",
    }


def test_an_unknown_status_is_returned_as_it_is():
    assert find(item(status="Preempted"))["status"] == "Preempted"


@pytest.mark.parametrize(
    ("stored", "returned"),
    [
        (b'{"a": 1}', {"encoding": "utf-8", "content": '{"a": 1}'}),
        (b"", {"encoding": "utf-8", "content": ""}),
        (b"\xff\x00", {"encoding": "base64", "content": "/wA="}),
    ],
)
def test_an_inline_output_is_text_if_it_is_valid_utf8(stored, returned):
    assert find(item(output={"size": 9, "inline": stored}))["output"] == {
        "size": 9,
        "inline": returned,
    }


def test_an_expiry_after_the_year_9999_is_clamped():
    assert find(item(expires_at=10**14))["expires_at"] == "9999-12-31T23:59:59.000Z"


def test_an_unknown_id_is_not_found():
    with pytest.raises(UnknownInference):
        find(item(), inference_id="two")


@pytest.mark.parametrize("expires_at", [SECONDS, SECONDS - 1])
def test_a_record_past_its_retention_is_expired(expires_at):
    with pytest.raises(RecordExpired) as expired:
        find(item(expires_at=expires_at))
    assert expired.value.expired_at.startswith("2026-01-25T1")


def test_a_record_without_an_expiry_is_found():
    stored = item()
    del stored["expires_at"]
    assert find(stored)["status"] == "Completed"


def test_an_id_on_several_endpoints_is_ambiguous():
    with pytest.raises(AmbiguousInference) as ambiguous:
        find(item(), item(endpoint_name="there"))
    assert ambiguous.value.endpoints == ["here", "there"]


def test_an_endpoint_resolves_the_ambiguity():
    there = item(endpoint_name="there")
    assert find(item(), there, endpoint_name="there")["endpoint_name"] == "there"


def test_an_expired_record_on_another_endpoint_is_ignored():
    expired = item(endpoint_name="there", expires_at=SECONDS - 1)
    assert find(item(), expired)["endpoint_name"] == "here"


@pytest.mark.parametrize("inference_id", ["", "x" * 65, "é"])
def test_an_invalid_id_is_rejected(inference_id):
    with pytest.raises(InvalidParameter, match="inference_id: expected"):
        find(item(), inference_id=inference_id)


@pytest.mark.parametrize("endpoint_name", ["", "x" * 257])
def test_an_invalid_endpoint_is_rejected(endpoint_name):
    with pytest.raises(InvalidParameter, match="endpoint: expected"):
        find(item(), endpoint_name=endpoint_name)


def find_many(*items, inference_ids, endpoint_name=None):
    find_inferences = FindInferences(inferences=FakeInferences(*items), now=lambda: NOW)
    return find_inferences(inference_ids, endpoint_name)


def test_a_batch_returns_records_and_why_ids_are_missing():
    batch = find_many(
        item(),
        item(inference_id="two"),
        item(inference_id="two", endpoint_name="there"),
        item(inference_id="old", expires_at=SECONDS - 1),
        inference_ids=["one", "two", "old", "none"],
    )
    assert [each["inference_id"] for each in batch["inferences"]] == ["one"]
    assert batch["missing"] == [
        {"inference_id": "two", "reason": "ambiguous", "endpoints": ["here", "there"]},
        {"inference_id": "old", "reason": "expired"},
        {"inference_id": "none", "reason": "unknown"},
    ]


def test_a_batch_on_one_endpoint_is_not_ambiguous():
    items = item(), item(endpoint_name="there")
    batch = find_many(*items, inference_ids=["one"], endpoint_name="there")
    assert [each["endpoint_name"] for each in batch["inferences"]] == ["there"]


def test_a_repeated_id_is_returned_once():
    assert len(find_many(item(), inference_ids=["one", "one"])["inferences"]) == 1


@pytest.mark.parametrize("text", ["\0", '"', "é", "x"])
def test_inline_outputs_over_the_response_limit_are_dropped(text):
    inline = {"encoding": "utf-8", "content": text * 65_536}
    records = [{"inference_id": str(n), "output": {"size": 1, "inline": inline}} for n in range(99)]
    limited = limit_response_size(records)
    response = {"statusCode": 200, "body": json.dumps({"inferences": limited})}
    assert len(json.dumps(response)) < 6_000_000
    assert [each["inference_id"] for each in limited] == [str(n) for n in range(99)]
    assert "inline" in limited[0]["output"]
    assert limited[-1]["output"] == {"size": 1}


@pytest.mark.parametrize(
    ("inference_ids", "parameter"),
    [
        ([], "inference_ids"),
        ([str(n) for n in range(101)], "inference_ids"),
        ("one", "inference_ids"),
        (7, "inference_ids"),
        (["one", "x" * 65], "inference_id"),
        (["one", 7], "inference_id"),
        ([["one"]], "inference_id"),
    ],
)
def test_an_invalid_batch_names_the_parameter(inference_ids, parameter):
    with pytest.raises(InvalidParameter, match=f"^{parameter}: expected"):
        find_many(inference_ids=inference_ids)


def ended(status, endpoint_name="here"):
    return item(status=status, endpoint_name=endpoint_name)


def test_the_endpoints_record_is_returned_if_it_ended_like_its_routers():
    assert find(ended("Completed"), ended("Completed", "-"))["endpoint_name"] == "here"
    assert find(ended("Failed", "-"), ended("Failed"))["endpoint_name"] == "here"


def test_the_ended_record_of_a_router_and_its_endpoint_is_returned():
    assert find(ended("InProgress"), ended("Completed", "-"))["endpoint_name"] == "-"
    assert find(ended("Completed"), ended("InProgress", "-"))["endpoint_name"] == "here"


def test_a_router_and_its_endpoint_that_ended_differently_are_ambiguous():
    pair = (ended("Failed"), ended("Completed", "-"))
    with pytest.raises(AmbiguousInference) as ambiguous:
        find(*pair)
    assert ambiguous.value.endpoints == ["-", "here"]


def test_a_router_with_two_endpoints_is_ambiguous():
    with pytest.raises(AmbiguousInference):
        find(ended("Failed", "one"), ended("Completed", "two"), ended("Completed", "-"))
