import httpx
import pytest

from inference_results.client import (
    AmbiguousInference,
    InferenceResultsError,
    InvalidRequest,
    NotAuthorized,
    RecordExpired,
    UnexpectedResponse,
    WaitTimeout,
)
from inference_results.client.flows import waits
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.steps import GRACE_SECONDS
from inference_results.contract import Problem
from tests.client.service import FakeService, Invocation, SimulatedDriver, problem

FINAL_STATUSES = ["Completed", "Failed", "Expired", "Lost", "Preempted"]


@pytest.fixture
def backoff(clock):
    return Backoff(clock, lambda: 0.5)


def invoke(service, *invocations):
    service.invocations |= {each.inference_id: each for each in invocations}


@pytest.mark.parametrize("status", FINAL_STATUSES)
def test_wait_returns_a_record_of_any_final_status(client, service, clock, status):
    invoke(service, Invocation("one", ends_at=50, status=status))
    assert client.wait("one", 60).status == status
    assert clock.now == 50
    assert service.calls_by_id["one"] == 3


def test_wait_waits_for_an_unknown_id(client, service, clock):
    invoke(service, Invocation("one", ends_at=30))
    assert client.wait("one", 60).inference_id == "one"
    assert clock.now == 30


@pytest.mark.parametrize("registered", [True, False])
def test_wait_times_out_and_reports_whether_a_record_exists(client, service, clock, registered):
    invoke(service, Invocation("one", ends_at=1000, registered=registered))
    with pytest.raises(WaitTimeout) as timed_out:
        client.wait("one", 45)
    assert clock.now == 45
    assert timed_out.value.pending == ["one"]
    assert list(timed_out.value.seen) == (["one"] if registered else [])
    assert ("InProgress" if registered else "no record exists") in str(timed_out.value)
    assert isinstance(timed_out.value, TimeoutError)


def test_wait_with_a_timeout_of_zero_polls_once(client, service):
    invoke(service, Invocation("one", ends_at=0))
    assert client.wait("one", 0).status == "Completed"
    with pytest.raises(WaitTimeout):
        client.wait("two", 0)
    assert service.calls_by_id == {"one": 1, "two": 1}


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_wait_rejects_an_invalid_timeout(client, timeout):
    with pytest.raises(InvalidRequest, match="timeout"):
        client.wait("one", timeout)


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503, json={"message": "Service Unavailable"}),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("closed"),
    ],
)
def test_wait_continues_after_transient_failures(client, service, failure):
    invoke(service, Invocation("one", ends_at=30))
    service.failures = [failure] * 5
    assert client.wait("one", 60).status == "Completed"


def test_wait_honors_retry_after(client, service, clock):
    invoke(service, Invocation("one"))
    service.failures = [httpx.Response(503, headers={"retry-after": "7"})]
    client.wait("one", 60)
    assert clock.now == 7


def test_wait_times_out_if_the_service_fails_permanently(client, service, clock):
    failures = [httpx.Response(502), httpx.ReadError("reset"), httpx.ConnectError("refused")] * 1000
    invoke(service, Invocation("one", registered=True, ends_at=1000))
    with pytest.raises(WaitTimeout):
        client.wait("one", 20)
    service.failures = failures
    with pytest.raises(WaitTimeout) as timed_out:
        client.wait("one", 60)
    assert clock.now == 80
    cause = str(timed_out.value.__cause__)
    assert "no response (ConnectError)" in cause or "502" in cause
    assert len(service.requests) < 20


def test_wait_polls_at_its_timeout_if_retry_after_is_later(client, service, clock):
    service.failures = [httpx.Response(429, headers={"retry-after": "3600"})]
    invoke(service, Invocation("one", ends_at=9))
    assert client.wait("one", 10).status == "Completed"
    assert clock.now == 10


def test_wait_sleeps_between_polls_if_the_service_ignores_wait(client, service, clock):
    service.holds_requests = False
    invoke(service, Invocation("one", ends_at=100))
    assert client.wait("one", 300).status == "Completed"
    assert service.calls_by_id["one"] <= 10
    assert clock.now < 120


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(401, json={"message": "Unauthorized"}), NotAuthorized),
        (httpx.Response(403, json={"message": "Forbidden"}), NotAuthorized),
        (problem(Problem.AMBIGUOUS_INFERENCE, 409, endpoints=["a", "b"]), AmbiguousInference),
        (problem(Problem.RECORD_EXPIRED, 410), RecordExpired),
        (problem(Problem.INVALID_PARAMETER, 400, parameter="id"), InvalidRequest),
        (httpx.Response(404, json={"message": "Not Found"}), UnexpectedResponse),
        (httpx.Response(200, text="<html>"), UnexpectedResponse),
        (httpx.Response(200, json={"status": "Completed"}), UnexpectedResponse),
    ],
)
def test_a_permanent_error_ends_a_wait_at_once(client, service, clock, response, error):
    service.failures = [response]
    with pytest.raises(error):
        client.wait("one", 60)
    assert clock.now == 0
    assert issubclass(error, InferenceResultsError)


def test_waiting_for_1000_inferences_of_a_minute_takes_at_most_8_calls_each(clock, backoff):
    ids = [f"inference-{number}" for number in range(1000)]
    service = FakeService(clock, *(Invocation(each, ends_at=60) for each in ids))
    service.response_seconds = 0.1
    wait = waits.wait_many(ids, 300, None, backoff)
    done = SimulatedDriver(clock, service).run(wait.all(None))
    assert list(done) == ids
    assert max(service.calls_by_id.values()) <= 8
    assert clock.now < 61


def test_ended_inferences_are_not_requested_again(clock, backoff):
    ids = [f"inference-{number}" for number in range(1000)]
    service = FakeService(clock, *(Invocation(each, ends_at=int(each[10:]) / 10) for each in ids))
    wait = waits.wait_many(ids, 300, None, backoff)
    SimulatedDriver(clock, service).run(wait.all(None))
    assert service.calls_by_id["inference-0"] == 1
    assert clock.now == pytest.approx(99.9)


def test_consecutive_batches_share_the_time_of_a_poll(clock, backoff):
    ids = [f"inference-{number}" for number in range(5000)]
    service = FakeService(clock, *(Invocation(each, ends_at=1000) for each in ids))
    with pytest.raises(WaitTimeout) as timed_out:
        SimulatedDriver(clock, service).run(waits.wait_many(ids, 60, None, backoff).all(None))
    assert clock.now == pytest.approx(60, abs=0.1)
    assert len(timed_out.value.pending) == 5000


def test_a_wait_on_a_slow_service_ends_at_most_one_poll_after_its_timeout(clock, backoff):
    ids = [f"inference-{number}" for number in range(100_000)]
    service = FakeService(clock)
    service.response_seconds = 3.0
    with pytest.raises(WaitTimeout):
        SimulatedDriver(clock, service).run(waits.wait_many(ids, 30, None, backoff).all(None))
    assert clock.now <= 30 + GRACE_SECONDS + 3.1


def test_failed_requests_do_not_lose_the_responses_of_others(clock, backoff):
    ids = [f"inference-{number}" for number in range(300)]
    service = FakeService(clock, *(Invocation(each) for each in ids))
    service.failures = [httpx.Response(503), httpx.Response(429, headers={"retry-after": "2"})]
    driver = SimulatedDriver(clock, service)
    done = driver.run(waits.wait_many(ids, 60, None, backoff).all(None))
    assert len(done) == 300
    assert driver.sleeps == [2.0]
    assert max(service.calls_by_id.values()) == 1


def test_wait_all_returns_records_in_order_and_reports_progress(client, service):
    invoke(service, *(Invocation(str(number), ends_at=number) for number in range(4)))
    reported = []
    done = client.wait_all(
        ["3", "1", "3", "0"], 60, progress=lambda *numbers: reported.append(numbers)
    )
    assert list(done) == ["3", "1", "0"]
    assert reported == [(2, 3), (3, 3)]


def test_a_timeout_of_wait_all_holds_ended_and_pending_inferences(client, service, clock):
    invoke(service, Invocation("ended"), Invocation("seen", ends_at=1000, registered=True))
    message = "2 of 3 inferences did not end within 30 s; no record exists for 1 of them"
    with pytest.raises(WaitTimeout, match=message) as timed_out:
        client.wait_all(["ended", "seen", "unknown"], 30)
    assert list(timed_out.value.done) == ["ended"]
    assert timed_out.value.pending == ["seen", "unknown"]
    assert timed_out.value.seen["seen"].status == "InProgress"
    assert clock.now == 30


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ({"reason": "ambiguous", "endpoints": ["a", "b"]}, AmbiguousInference),
        ({"reason": "expired"}, RecordExpired),
    ],
)
def test_an_ambiguous_or_expired_id_ends_wait_all(client, service, missing, error):
    invoke(service, Invocation("one"))
    service.missing["two"] = missing
    with pytest.raises(error, match="two") as raised:
        client.wait_all(["one", "two"], 60)
    if error is AmbiguousInference:
        assert raised.value.endpoints == ["a", "b"]


def test_an_expired_id_does_not_hide_ended_inferences(client, service):
    ids = ["expired", *map(str, range(149))]
    invoke(service, *(Invocation(each) for each in ids[1:-1]))
    service.missing["expired"] = {"reason": "expired"}
    with pytest.raises(RecordExpired) as raised:
        client.wait_all(ids, 60)
    assert list(raised.value.done) == ids[1:-1]
    assert raised.value.pending == ["expired", "148"]
    inferences = client.as_completed(ids, 60)
    assert {next(inferences).inference_id for _ in range(148)} == set(ids[1:-1])
    with pytest.raises(RecordExpired):
        next(inferences)


def test_a_denied_batch_does_not_hide_ended_inferences(clock, backoff):
    ids = [f"inference-{number}" for number in range(200)]
    service = FakeService(clock, *(Invocation(each) for each in ids))
    service.failures = [httpx.Response(401)]
    driver = SimulatedDriver(clock, service)
    with pytest.raises(NotAuthorized) as raised:
        driver.run(waits.wait_many(ids, 60, None, backoff).as_completed())
    assert len(driver.items) == len(raised.value.done) == 100


@pytest.mark.parametrize("count", [4, 250])
def test_as_completed_yields_inferences_that_ended_while_the_caller_was_busy(
    client, service, clock, count
):
    ids = list(map(str, range(count)))
    invoke(service, *(Invocation(each, ends_at=10 * (int(each) % 4)) for each in ids))
    inferences = client.as_completed([*ids], 60)
    assert next(inferences).inference_id == "0"
    clock.now += 100
    assert len(list(inferences)) == count - 1


def test_as_completed_yields_each_inference_once_in_the_order_of_their_ends(client, service):
    ends = {"a": 30, "b": 0.5, "c": 0.2, "d": 9}
    invoke(service, *(Invocation(each, ends_at=at) for each, at in ends.items()))
    inferences = client.as_completed(ends, 60)
    assert [each.inference_id for each in inferences] == ["c", "b", "d", "a"]


def test_as_completed_yields_ended_inferences_before_it_raises_the_timeout(client, service):
    invoke(service, Invocation("one", ends_at=2))
    inferences = client.as_completed(["one", "two"], 2)
    assert next(inferences).inference_id == "one"
    with pytest.raises(WaitTimeout) as timed_out:
        next(inferences)
    assert timed_out.value.pending == ["two"]


def test_waiting_for_no_ids_makes_no_request(client, service):
    assert client.wait_all([], 60) == {}
    assert list(client.as_completed([], 60)) == []
    assert service.requests == []


def test_wait_all_rejects_a_string(client):
    with pytest.raises(InvalidRequest, match="ids"):
        client.wait_all("one", 60)


def test_waits_send_the_endpoint(client, service):
    invoke(service, Invocation("one"))
    client.wait("one", 60, endpoint="speech")
    client.wait_all(["one"], 60, endpoint="speech")
    one, many = service.requests
    assert one.url.params["endpoint"] == "speech"
    assert b'"endpoint": "speech"' in many.content
