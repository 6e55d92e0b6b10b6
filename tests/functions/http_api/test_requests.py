import base64
import json
from urllib.parse import quote, urlencode

import pytest

from functions.http_api.requests import QUERY_PARAMETERS, parse_batch, parse_body, parse_query
from inference_results.contract import Route
from inference_results.domain.record.errors import InvalidParameter


@pytest.mark.parametrize("text", ["a,b", "a b", "a/b?c#d", "100%", "+", "%2F", "="])
def test_any_text_in_a_query_is_decoded(text):
    query = urlencode({"endpoint": text}, quote_via=quote)
    assert parse_query(Route.GET_INFERENCE, query) == {"endpoint": text}


def test_non_ascii_text_in_a_query_is_decoded():
    query = urlencode({"status": "é"}, quote_via=quote)
    assert parse_query(Route.LIST_INFERENCES, query) == {"status": "é"}


def test_numbers_are_parsed():
    assert parse_query(Route.GET_INFERENCE, "wait=0.5") == {"wait": 0.5}
    assert parse_query(Route.LIST_INFERENCES, "limit=200") == {"limit": 200}


def test_an_empty_query_has_no_parameters():
    assert parse_query(Route.LIST_INFERENCES, "") == {}


@pytest.mark.parametrize("route", Route)
def test_every_route_rejects_unknown_parameters(route):
    assert route in QUERY_PARAMETERS
    with pytest.raises(InvalidParameter, match="^other: expected (one of|no parameters)"):
        parse_query(route, "other=1")


@pytest.mark.parametrize(
    ("route", "query", "parameter"),
    [
        (Route.GET_INFERENCE, "endpoint=", "endpoint"),
        (Route.GET_INFERENCE, "wait=-1", "wait"),
        (Route.GET_INFERENCE, "wait=21", "wait"),
        (Route.GET_INFERENCE, "wait=nan", "wait"),
        (Route.GET_INFERENCE, "wait=inf", "wait"),
        (Route.GET_INFERENCE, "wait=soon", "wait"),
        (Route.GET_INFERENCE, "wait=", "wait"),
        (Route.GET_INFERENCE, "wait=1&wait=2", "wait"),
        (Route.GET_INFERENCE, "id=one", "id"),
        (Route.GET_INFERENCE_BY_QUERY, "", "id"),
        (Route.GET_INFERENCE_BY_QUERY, "id=", "id"),
        (Route.GET_INFERENCE_BY_QUERY, f"id={'x' * 65}", "id"),
        (Route.GET_INFERENCE_BY_QUERY, "id=%C3%A9", "id"),
        (Route.GET_INFERENCE_BY_QUERY, "id=one&id=two", "id"),
        (Route.LIST_INFERENCES, "limit=0", "limit"),
        (Route.LIST_INFERENCES, "limit=-1", "limit"),
        (Route.LIST_INFERENCES, "limit=1000000000", "limit"),
        (Route.LIST_INFERENCES, f"limit={'9' * 5000}", "limit"),
        (Route.LIST_INFERENCES, "limit=ten", "limit"),
        (Route.LIST_INFERENCES, "limit=1_0", "limit"),
        (Route.LIST_INFERENCES, "limit=%205", "limit"),
        (Route.LIST_INFERENCES, "limit=%D9%A5", "limit"),
        (Route.LIST_INFERENCES, "limit=5.0", "limit"),
        (Route.LIST_INFERENCES, f"cursor={'x' * 1025}", "cursor"),
        (Route.SUMMARIZE_ENDPOINT, "since=2026-01-25T00:00Z", "since"),
    ],
)
def test_an_invalid_query_is_rejected_with_its_parameter(route, query, parameter):
    with pytest.raises(InvalidParameter, match=f"^{parameter}: expected") as error:
        parse_query(route, query)
    assert error.value.parameter == parameter


def test_a_body_can_be_text_or_base64():
    batch = {"inference_ids": ["one"], "endpoint": "here", "wait": 5}
    text = json.dumps(batch)
    assert parse_batch(parse_body(text, is_base64=False)) == batch
    assert parse_body(base64.b64encode(text.encode()).decode(), is_base64=True) == batch


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ("", "body"),
        ("not JSON", "body"),
        ("[]", "body"),
        ("[" * 100_000, "body"),
        ("{}", "inference_ids"),
        ('{"inference_ids": ["one"], "limit": 5}', "limit"),
        ('{"inference_ids": ["one"], "endpoint": 7}', "endpoint"),
        ('{"inference_ids": ["one"], "endpoint": null}', "endpoint"),
    ],
)
def test_an_invalid_batch_is_rejected_with_its_parameter(body, parameter):
    with pytest.raises(InvalidParameter, match=f"^{parameter}: expected"):
        parse_batch(parse_body(body, is_base64=False))


@pytest.mark.parametrize("body", ["!", base64.b64encode(b"\xff\xfe\xfd").decode()])
def test_a_body_that_is_not_valid_base64_text_is_rejected(body):
    with pytest.raises(InvalidParameter, match="^body: expected"):
        parse_body(body, is_base64=True)
