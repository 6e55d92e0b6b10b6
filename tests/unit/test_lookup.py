import pytest

from inference_results.domain.errors import (
    AmbiguousInference,
    InvalidParameter,
    UnknownInference,
)
from inference_results.domain.lookup import FindInference
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


def item(**attributes):
    return {
        "inference_id": "one",
        "endpoint_name": "here",
        "status": "Completed",
        "expires_at": SECONDS + 60,
        "event_order": "internal",
        "endpoint_shard": "1#here",
        "submission": {"failure_location": "s3://internal"},
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


def test_an_unknown_id_is_not_found():
    with pytest.raises(UnknownInference):
        find(item(), inference_id="two")


@pytest.mark.parametrize("expires_at", [SECONDS, SECONDS - 1])
def test_a_record_past_its_retention_is_not_found(expires_at):
    with pytest.raises(UnknownInference):
        find(item(expires_at=expires_at))


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
