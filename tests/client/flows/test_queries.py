import ssl
from datetime import UTC, date, datetime, timedelta, timezone

import httpx
import pytest

from inference_results.client import (
    AmbiguousInference,
    Batch,
    DaySummary,
    InvalidRequest,
    Latency,
    LatencyBucket,
    Missing,
    NotAuthorized,
    NotFound,
    RecordExpired,
    ServiceUnavailable,
    UnexpectedResponse,
)
from inference_results.contract import Problem
from tests.client.service import Invocation, problem


def invoke(service, *invocations):
    service.invocations |= {each.inference_id: each for each in invocations}


def test_get_sends_any_id_percent_encoded_in_the_query(client, service):
    inference_id = "a b/c?d=e&f#g%h+i~"
    invoke(service, Invocation(inference_id))
    assert client.get(inference_id).inference_id == inference_id
    (request,) = service.requests
    assert request.url.raw_path == b"/inference?id=a%20b%2Fc%3Fd%3De%26f%23g%25h%2Bi~"


def test_get_sends_the_endpoint(client, service):
    invoke(service, Invocation("one"))
    client.get("one", endpoint="speech")
    assert service.requests[0].url.params["endpoint"] == "speech"


@pytest.mark.parametrize(
    ("response", "error", "attributes"),
    [
        (problem(Problem.UNKNOWN_INFERENCE), NotFound, {"inference_id": "one"}),
        (
            problem(Problem.RECORD_EXPIRED, 410, expired_at="2026-01-25T12:00:00.000Z"),
            RecordExpired,
            {"expired_at": "2026-01-25T12:00:00.000Z"},
        ),
        (
            problem(Problem.AMBIGUOUS_INFERENCE, 409, endpoints=["a", "b"]),
            AmbiguousInference,
            {"endpoints": ["a", "b"]},
        ),
        (
            problem(Problem.INVALID_PARAMETER, 400, parameter="id", expected="less"),
            InvalidRequest,
            {"parameter": "id"},
        ),
        (httpx.Response(404, json={"message": "Not Found"}), UnexpectedResponse, {"status": 404}),
        (httpx.Response(200, text="<html>"), UnexpectedResponse, {}),
        (httpx.Response(200, json=["one"]), UnexpectedResponse, {}),
        (problem("urn:inference-results:problem:new", 418), UnexpectedResponse, {"status": 418}),
    ],
)
def test_a_permanent_error_is_raised_without_a_retry(client, service, response, error, attributes):
    service.failures = [response]
    with pytest.raises(error) as raised:
        client.get("one")
    assert {name: getattr(raised.value, name) for name in attributes} == attributes
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (
            httpx.Response(
                401,
                headers={
                    "www-authenticate": 'Bearer scope="" error="invalid_token"'
                    ' error_description="the token has expired"'
                },
                json={"message": "Unauthorized"},
            ),
            "the token has expired",
        ),
        (httpx.Response(401), "missing, expired or not accepted"),
        (
            httpx.Response(403, json={"message": "Forbidden"}),
            "execute-api:Invoke: access denied.*Forbidden",
        ),
    ],
)
def test_not_authorized_gives_the_reason(client, service, response, message):
    service.failures = [response]
    with pytest.raises(NotAuthorized, match=message) as raised:
        client.get("one")
    assert raised.value.status == response.status_code


@pytest.mark.parametrize("failure", [httpx.Response(429), httpx.ConnectError("refused")])
def test_a_transient_failure_is_retried_four_times(client, service, clock, failure):
    service.failures = [failure] * 4
    invoke(service, Invocation("one"))
    assert client.get("one").status == "Completed"
    service.failures = [failure] * 5
    with pytest.raises(ServiceUnavailable):
        client.get("one")
    assert not service.failures
    assert clock.now == 2 * sum(0.5 * delay for delay in (0.5, 1, 2, 4))


def test_an_untrusted_server_is_not_retried(client, service, clock):
    failure = httpx.ConnectError("untrusted")
    failure.__cause__ = ssl.SSLCertVerificationError("self-signed")
    service.failures = [failure, failure]
    with pytest.raises(InvalidRequest, match="verify"):
        client.get("one")
    with pytest.raises(InvalidRequest, match="verify"):
        client.wait("one", 60)
    assert clock.now == 0


@pytest.mark.parametrize("inference_id", ["", "\udcff", "é", "a" * 65, None])
def test_an_invalid_id_is_rejected_before_a_request(client, service, inference_id):
    for call in (
        lambda: client.get(inference_id),
        lambda: client.batch_get(["one", inference_id]),
        lambda: client.wait(inference_id, 60),
        lambda: client.wait_all([*map(str, range(200)), inference_id], 60),
        lambda: client.output(inference_id),
    ):
        with pytest.raises(InvalidRequest) as raised:
            call()
        assert raised.value.parameter == "inference_id"
    assert service.requests == []


@pytest.mark.parametrize("endpoint", ["", "\udcff", "a" * 257])
def test_an_invalid_endpoint_is_rejected_before_a_request(client, service, endpoint):
    for call in (
        lambda: client.get("one", endpoint=endpoint),
        lambda: list(client.list(endpoint=endpoint)),
        lambda: client.summary(endpoint),
    ):
        with pytest.raises(InvalidRequest) as raised:
            call()
        assert raised.value.parameter == "endpoint"
    assert service.requests == []


def test_a_long_retry_after_is_raised_instead_of_waited_for(client, service, clock):
    service.failures = [httpx.Response(503, headers={"retry-after": "3600"})]
    with pytest.raises(ServiceUnavailable) as unavailable:
        client.get("one")
    assert unavailable.value.retry_after == 3600
    assert clock.now == 0


@pytest.mark.parametrize("retry_after", ["Wed, 21 Oct 2026 07:28:00 GMT", "nan", "-1", "inf"])
def test_an_invalid_retry_after_is_ignored(client, service, clock, retry_after):
    service.failures = [httpx.Response(503, headers={"retry-after": retry_after})]
    invoke(service, Invocation("one"))
    client.get("one")
    assert clock.now == 0.25


def test_batch_get_requests_unique_ids_in_batches_of_100(make_client, service):
    ids = [f"inference-{number}" for number in range(250)]
    invoke(service, *(Invocation(each) for each in ids))
    batch = make_client(service).batch_get([*ids, *ids])
    assert sorted(each.inference_id for each in batch.inferences) == sorted(ids)
    assert batch.missing == []
    assert len(service.requests) == 3


def test_batch_get_returns_the_reason_for_each_missing_record(client, service):
    invoke(service, Invocation("one"))
    service.missing["two"] = {"reason": "ambiguous", "endpoints": ["a", "b"]}
    batch = client.batch_get(["one", "two", "three"])
    assert batch.missing == [
        Missing(inference_id="two", reason="ambiguous", endpoints=("a", "b")),
        Missing(inference_id="three", reason="unknown"),
    ]
    assert client.batch_get([]) == Batch([], [])


def test_batch_get_retries_only_the_failed_batches(client, service):
    ids = [f"inference-{number}" for number in range(200)]
    invoke(service, *(Invocation(each) for each in ids))
    service.failures = [httpx.Response(503)]
    assert len(client.batch_get(ids).inferences) == 200
    assert max(service.calls_by_id.values()) == 1


def test_list_continues_after_an_empty_page(client, service):
    record = {"endpoint_name": "speech", "status": "Failed"}
    service.pages = [
        {"inferences": [record | {"inference_id": "a"}], "next_cursor": "x/1"},
        {"inferences": [], "next_cursor": "x/2"},
        {"inferences": [record | {"inference_id": "b"}]},
    ]
    since = datetime(2026, 1, 25, 12, tzinfo=timezone(timedelta(hours=1)))
    inferences = client.list(
        status="Failed", since=since, until="2026-01-26T00:00:00Z", page_size=7
    )
    assert [each.inference_id for each in inferences] == ["a", "b"]
    first, second, _ = (dict(request.url.params) for request in service.requests)
    assert first == {
        "status": "Failed",
        "since": "2026-01-25T12:00:00+01:00",
        "until": "2026-01-26T00:00:00Z",
        "limit": "7",
    }
    assert second == first | {"cursor": "x/1"}


def test_list_requests_a_page_only_when_it_is_needed(client, service):
    page = {"inferences": [{"inference_id": "a", "endpoint_name": "b", "status": "Lost"}]}
    service.pages = [page | {"next_cursor": "more"}]
    assert next(client.list(status="Lost")).status == "Lost"
    assert len(service.requests) == 1


def test_list_rejects_a_time_without_an_offset(client):
    with pytest.raises(InvalidRequest, match="since"):
        client.list(status="Failed", since=datetime(2026, 1, 25))


def test_summary_returns_the_days_of_an_endpoint(client, service):
    until = datetime(2026, 1, 25, 23, tzinfo=UTC)
    newest, oldest = client.summary("speech", since=date(2026, 1, 24), until=until)
    assert newest == DaySummary(
        day=date(2026, 1, 25),
        counts={"Completed": 12, "Failed": 1},
        latency=Latency(
            count=13,
            p50_ms=812,
            p90_ms=2210,
            p99_ms=5400,
            histogram=(
                LatencyBucket(up_to_ms=900, count=7),
                LatencyBucket(up_to_ms=6000, count=6),
            ),
        ),
    )
    assert oldest == DaySummary(day=date(2026, 1, 24), counts={"Expired": 2})
    assert service.requests[0].url.query == b"since=2026-01-24&until=2026-01-25"
