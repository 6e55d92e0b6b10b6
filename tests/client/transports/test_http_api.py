import json

import pytest

from inference_results.client import InvalidRequest
from inference_results.client.flows.requests import GetOutput, GetRecord, GetRecords, GetSummary
from inference_results.client.transports.http_api import Api

API = Api.from_url("https://gateway.test/$default/")


def test_the_stage_in_the_url_is_kept():
    url = API.build_request(GetRecord("one")).url
    assert str(url) == "https://gateway.test/$default/inference?id=one"


def test_an_output_is_requested_by_query():
    url = API.build_request(GetOutput("a/b", "here")).url
    assert str(url) == "https://gateway.test/$default/inference/output?id=a%2Fb&endpoint=here"


def test_an_endpoint_is_one_encoded_path_segment():
    url = API.build_request(GetSummary("a/b c")).url
    assert url.raw_path == b"/$default/endpoints/a%2Fb%20c/summary"


def test_a_batch_is_sent_as_json():
    request = API.build_request(GetRecords(("a", "b"), None, 1.23456))
    assert request.method == "POST"
    assert json.loads(request.content) == {"inference_ids": ["a", "b"], "wait": 1.235}
    assert request.headers["content-type"] == "application/json"


def test_the_timeout_is_longer_than_the_wait():
    request = API.build_request(GetRecord("one", None, 20.0))
    assert request.url.params["wait"] == "20.000"
    assert request.extensions["timeout"] == {
        "connect": 5.0,
        "read": 30.0,
        "write": 30.0,
        "pool": 30.0,
    }


@pytest.mark.parametrize("url", ["", "api.test", "ftp://api.test", "https://", "https://a/?b=c"])
def test_an_invalid_api_url_is_rejected(url):
    with pytest.raises(InvalidRequest, match="api_url"):
        Api.from_url(url)
