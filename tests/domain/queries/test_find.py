import json

import pytest

from inference_results.domain.queries.find import FindInference, FindInferences, within_limit
from inference_results.domain.record.errors import (
    AmbiguousInference,
    InvalidParameter,
    RecordExpired,
    UnknownInference,
)
from tests.fakes import NOW

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
    lookup = FindInference(inferences=FakeInferences(*items), now=lambda: NOW)
    return lookup(inference_id, endpoint_name)


def test_a_record_is_shown_without_what_is_internal():
    assert find(item()) == {
        "inference_id": "one",
        "endpoint_name": "here",
        "status": "Completed",
        "expires_at": "2026-01-25T12:01:00.000Z",
    }


def test_an_unknown_status_is_shown_as_it_is():
    assert find(item(status="Preempted"))["status"] == "Preempted"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (b'{"a": 1}', {"encoding": "utf-8", "content": '{"a": 1}'}),
        (b"", {"encoding": "utf-8", "content": ""}),
        (b"\xff\x00", {"encoding": "base64", "content": "/wA="}),
    ],
)
def test_an_inline_output_is_shown_as_text_if_it_is_text(stored, shown):
    assert find(item(output={"size": 9, "inline": stored}))["output"] == {
        "size": 9,
        "inline": shown,
    }


def test_an_expiry_beyond_all_time_does_no_harm():
    assert find(item(expires_at=10**14))["expires_at"] == "9999-12-31T23:59:59.000Z"


def test_an_unknown_id_is_not_found():
    with pytest.raises(UnknownInference):
        find(item(), inference_id="two")


@pytest.mark.parametrize("expires_at", [SECONDS, SECONDS - 1])
def test_a_record_past_its_retention_is_not_shown_and_told_apart(expires_at):
    with pytest.raises(RecordExpired) as expired:
        find(item(expires_at=expires_at))
    assert expired.value.expired_at.startswith("2026-01-25T1")


def test_a_record_without_an_expiry_is_found():
    stored = item()
    del stored["expires_at"]
    assert find(stored)["status"] == "Completed"


def test_an_id_on_several_endpoints_is_ambiguous_and_they_are_named():
    with pytest.raises(AmbiguousInference) as ambiguous:
        find(item(), item(endpoint_name="there"))
    assert ambiguous.value.endpoints == ["here", "there"]


def test_naming_the_endpoint_settles_the_ambiguity():
    there = item(endpoint_name="there")
    assert find(item(), there, endpoint_name="there")["endpoint_name"] == "there"


def test_an_expired_record_elsewhere_makes_nothing_ambiguous():
    expired = item(endpoint_name="there", expires_at=SECONDS - 1)
    assert find(item(), expired)["endpoint_name"] == "here"


@pytest.mark.parametrize("inference_id", ["", "x" * 65, "é"])
def test_an_id_that_cannot_exist_is_a_malformed_question(inference_id):
    with pytest.raises(InvalidParameter, match="inference_id: expected"):
        find(item(), inference_id=inference_id)


@pytest.mark.parametrize("endpoint_name", ["", "x" * 257])
def test_an_endpoint_that_cannot_exist_is_a_malformed_question(endpoint_name):
    with pytest.raises(InvalidParameter, match="endpoint: expected"):
        find(item(), endpoint_name=endpoint_name)


def find_many(*items, inference_ids, endpoint_name=None):
    lookup = FindInferences(inferences=FakeInferences(*items), now=lambda: NOW)
    return lookup(inference_ids, endpoint_name)


def test_a_batch_tells_what_was_found_and_why_the_others_were_not():
    answer = find_many(
        item(),
        item(inference_id="two"),
        item(inference_id="two", endpoint_name="there"),
        item(inference_id="old", expires_at=SECONDS - 1),
        inference_ids=["one", "two", "old", "none"],
    )
    assert [each["inference_id"] for each in answer["inferences"]] == ["one"]
    assert answer["missing"] == [
        {"inference_id": "two", "reason": "ambiguous", "endpoints": ["here", "there"]},
        {"inference_id": "old", "reason": "expired"},
        {"inference_id": "none", "reason": "unknown"},
    ]


def test_a_batch_on_one_endpoint_is_not_ambiguous():
    items = item(), item(endpoint_name="there")
    answer = find_many(*items, inference_ids=["one"], endpoint_name="there")
    assert [each["endpoint_name"] for each in answer["inferences"]] == ["there"]


def test_an_id_named_twice_is_answered_once():
    assert len(find_many(item(), inference_ids=["one", "one"])["inferences"]) == 1


@pytest.mark.parametrize("text", ["\0", '"', "é", "x"])
def test_records_are_cut_down_to_what_a_function_may_answer_with(text):
    inline = {"encoding": "utf-8", "content": text * 65_536}
    records = [{"inference_id": str(n), "output": {"size": 1, "inline": inline}} for n in range(99)]
    kept = within_limit(records)
    answer = {"statusCode": 200, "body": json.dumps({"inferences": kept})}
    assert len(json.dumps(answer)) < 6_000_000
    assert [each["inference_id"] for each in kept] == [str(n) for n in range(99)]
    assert "inline" in kept[0]["output"]
    assert kept[-1]["output"] == {"size": 1}


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
def test_a_malformed_batch_names_what_is_wrong(inference_ids, parameter):
    with pytest.raises(InvalidParameter, match=f"^{parameter}: expected"):
        find_many(inference_ids=inference_ids)


def ended(status, endpoint_name="here"):
    return item(status=status, endpoint_name=endpoint_name)


def test_of_a_routers_record_and_its_endpoints_that_ended_alike_the_endpoints_is_shown():
    assert find(ended("Completed"), ended("Completed", "-"))["endpoint_name"] == "here"
    assert find(ended("Failed", "-"), ended("Failed"))["endpoint_name"] == "here"


def test_of_a_routers_record_and_its_endpoints_the_one_that_has_ended_is_shown():
    assert find(ended("InProgress"), ended("Completed", "-"))["endpoint_name"] == "-"
    assert find(ended("Completed"), ended("InProgress", "-"))["endpoint_name"] == "here"


def test_where_a_router_and_its_endpoint_tell_differently_whoever_asks_must_choose():
    pair = (ended("Failed"), ended("Completed", "-"))
    with pytest.raises(AmbiguousInference) as ambiguous:
        find(*pair)
    assert ambiguous.value.endpoints == ["-", "here"]


def test_a_router_that_tried_two_endpoints_leaves_the_choice_to_whoever_asks():
    with pytest.raises(AmbiguousInference):
        find(ended("Failed", "one"), ended("Completed", "two"), ended("Completed", "-"))
