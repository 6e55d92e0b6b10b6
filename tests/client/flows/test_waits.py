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
from inference_results.client.flows.steps import LAST_ROUND_SECONDS
from inference_results.contract import Problem
from tests.client.service import FakeService, Invocation, SimulatedDriver, problem

OUTCOMES = ["Completed", "Failed", "Expired", "Lost", "Preempted"]


@pytest.fixture
def pace(clock):
    return Backoff(clock, lambda: 0.5)


def invoke(service, *invocations):
    service.invocations |= {each.inference_id: each for each in invocations}


@pytest.mark.parametrize("status", OUTCOMES)
def test_a_wait_ends_with_any_outcome_and_raises_for_none(client, service, clock, status):
    invoke(service, Invocation("one", ends_at=50, status=status))
    assert client.wait("one", 60).status == status
    assert clock.now == 50
    assert service.calls_by_id["one"] == 3


def test_an_id_that_nobody_knows_yet_is_waited_for(client, service, clock):
    invoke(service, Invocation("one", ends_at=30))
    assert client.wait("one", 60).inference_id == "one"
    assert clock.now == 30


@pytest.mark.parametrize("registered", [True, False])
def test_a_wait_ends_with_its_timeout_and_tells_whether_a_record_was_seen(
    client, service, clock, registered
):
    invoke(service, Invocation("one", ends_at=1000, registered=registered))
    with pytest.raises(WaitTimeout) as timed_out:
        client.wait("one", 45)
    assert clock.now == 45
    assert timed_out.value.pending == ["one"]
    assert list(timed_out.value.seen) == (["one"] if registered else [])
    assert ("InProgress" if registered else "never recorded") in str(timed_out.value)
    assert isinstance(timed_out.value, TimeoutError)


def test_without_time_a_wait_asks_once(client, service):
    invoke(service, Invocation("one", ends_at=0))
    assert client.wait("one", 0).status == "Completed"
    with pytest.raises(WaitTimeout):
        client.wait("two", 0)
    assert service.calls_by_id == {"one": 1, "two": 1}


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_is_none_is_refused(client, timeout):
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
def test_a_wait_outlives_what_may_pass(client, service, failure):
    invoke(service, Invocation("one", ends_at=30))
    service.failures = [failure] * 5
    assert client.wait("one", 60).status == "Completed"


def test_a_wait_leaves_the_service_alone_for_as_long_as_it_asks(client, service, clock):
    invoke(service, Invocation("one"))
    service.failures = [httpx.Response(503, headers={"retry-after": "7"})]
    client.wait("one", 60)
    assert clock.now == 7


def test_a_service_that_dies_in_the_middle_of_a_wait_ends_it_in_time(client, service, clock):
    dead = [httpx.Response(502), httpx.ReadError("reset"), httpx.ConnectError("refused")] * 1000
    invoke(service, Invocation("one", registered=True, ends_at=1000))
    with pytest.raises(WaitTimeout):
        client.wait("one", 20)
    service.failures = dead
    with pytest.raises(WaitTimeout) as timed_out:
        client.wait("one", 60)
    assert clock.now == 80
    assert "no answer: ConnectError" in str(timed_out.value.__cause__) or "502" in str(
        timed_out.value.__cause__
    )
    assert len(service.requests) < 20


def test_a_wait_that_is_asked_to_pause_beyond_its_timeout_looks_once_more_at_its_end(
    client, service, clock
):
    service.failures = [httpx.Response(429, headers={"retry-after": "3600"})]
    invoke(service, Invocation("one", ends_at=9))
    assert client.wait("one", 10).status == "Completed"
    assert clock.now == 10


def test_a_service_that_does_not_hold_questions_open_is_not_asked_without_pauses(
    client, service, clock
):
    service.holds_questions_open = False
    invoke(service, Invocation("one", ends_at=100))
    assert client.wait("one", 300).status == "Completed"
    assert service.calls_by_id["one"] <= 10
    assert clock.now < 120


@pytest.mark.parametrize(
    ("answer", "error"),
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
def test_what_no_waiting_mends_ends_a_wait_at_once(client, service, clock, answer, error):
    service.failures = [answer]
    with pytest.raises(error):
        client.wait("one", 60)
    assert clock.now == 0
    assert issubclass(error, InferenceResultsError)


def test_a_thousand_inferences_of_a_minute_take_at_most_eight_calls_each(clock, pace):
    ids = [f"inference-{number}" for number in range(1000)]
    service = FakeService(clock, *(Invocation(each, ends_at=60) for each in ids))
    service.seconds_for_an_answer = 0.1
    wait = waits.wait_many(ids, 300, None, pace)
    done = SimulatedDriver(clock, service).result(wait.all(None))
    assert list(done) == ids
    assert max(service.calls_by_id.values()) <= 8
    assert clock.now < 61


def test_what_has_ended_is_not_asked_for_again(clock, pace):
    ids = [f"inference-{number}" for number in range(1000)]
    service = FakeService(clock, *(Invocation(each, ends_at=int(each[10:]) / 10) for each in ids))
    wait = waits.wait_many(ids, 300, None, pace)
    SimulatedDriver(clock, service).result(wait.all(None))
    assert service.calls_by_id["inference-0"] == 1
    assert clock.now == pytest.approx(99.9)


def test_more_than_ten_hundreds_share_the_time_of_a_round(clock, pace):
    ids = [f"inference-{number}" for number in range(5000)]
    service = FakeService(clock, *(Invocation(each, ends_at=1000) for each in ids))
    with pytest.raises(WaitTimeout) as timed_out:
        SimulatedDriver(clock, service).result(waits.wait_many(ids, 60, None, pace).all(None))
    assert clock.now == pytest.approx(60, abs=0.1)
    assert len(timed_out.value.pending) == 5000


def test_a_slow_service_ends_a_wait_for_many_within_its_timeout_and_one_poll(clock, pace):
    ids = [f"inference-{number}" for number in range(100_000)]
    service = FakeService(clock)
    service.seconds_for_an_answer = 3.0
    with pytest.raises(WaitTimeout):
        SimulatedDriver(clock, service).result(waits.wait_many(ids, 30, None, pace).all(None))
    assert clock.now <= 30 + LAST_ROUND_SECONDS + 3.1


def test_failures_of_some_questions_do_not_lose_the_answers_of_others(clock, pace):
    ids = [f"inference-{number}" for number in range(300)]
    service = FakeService(clock, *(Invocation(each) for each in ids))
    service.failures = [httpx.Response(503), httpx.Response(429, headers={"retry-after": "2"})]
    driver = SimulatedDriver(clock, service)
    done = driver.result(waits.wait_many(ids, 60, None, pace).all(None))
    assert len(done) == 300
    assert driver.pauses == [2.0]
    assert max(service.calls_by_id.values()) == 1


def test_all_are_waited_for_and_the_progress_is_told(client, service):
    invoke(service, *(Invocation(str(number), ends_at=number) for number in range(4)))
    told = []
    done = client.wait_all(["3", "1", "3", "0"], 60, progress=lambda *numbers: told.append(numbers))
    assert list(done) == ["3", "1", "0"]
    assert told == [(2, 3), (3, 3)]


def test_a_timeout_of_many_has_those_that_ended_and_those_that_did_not(client, service, clock):
    invoke(service, Invocation("ended"), Invocation("seen", ends_at=1000, registered=True))
    with pytest.raises(WaitTimeout, match="2 of 3 not ended within 30 s; 1 never") as timed_out:
        client.wait_all(["ended", "seen", "unknown"], 30)
    assert list(timed_out.value.done) == ["ended"]
    assert timed_out.value.pending == ["seen", "unknown"]
    assert timed_out.value.seen["seen"].status == "InProgress"
    assert clock.now == 30


@pytest.mark.parametrize(
    ("why", "error"),
    [
        ({"reason": "ambiguous", "endpoints": ["a", "b"]}, AmbiguousInference),
        ({"reason": "expired"}, RecordExpired),
    ],
)
def test_an_id_that_no_waiting_brings_ends_a_wait_for_many(client, service, why, error):
    invoke(service, Invocation("one"))
    service.missing["two"] = why
    with pytest.raises(error, match="two") as hopeless:
        client.wait_all(["one", "two"], 60)
    if error is AmbiguousInference:
        assert hopeless.value.endpoints == ["a", "b"]


def test_an_id_that_no_waiting_brings_does_not_hide_those_that_have_ended(client, service):
    ids = ["expired", *map(str, range(149))]
    invoke(service, *(Invocation(each) for each in ids[1:-1]))
    service.missing["expired"] = {"reason": "expired"}
    with pytest.raises(RecordExpired) as hopeless:
        client.wait_all(ids, 60)
    assert list(hopeless.value.done) == ids[1:-1]
    assert hopeless.value.pending == ["expired", "148"]
    found = client.as_completed(ids, 60)
    assert {next(found).inference_id for _ in range(148)} == set(ids[1:-1])
    with pytest.raises(RecordExpired):
        next(found)


def test_a_refusal_of_one_hundred_does_not_hide_those_that_have_ended(clock, pace):
    ids = [f"inference-{number}" for number in range(200)]
    service = FakeService(clock, *(Invocation(each) for each in ids))
    service.failures = [httpx.Response(401)]
    driver = SimulatedDriver(clock, service)
    with pytest.raises(NotAuthorized) as refused:
        driver.result(waits.wait_many(ids, 60, None, pace).as_completed())
    assert len(driver.found) == len(refused.value.done) == 100


@pytest.mark.parametrize("count", [4, 250])
def test_what_ends_in_time_while_the_caller_is_busy_is_found(client, service, clock, count):
    ids = list(map(str, range(count)))
    invoke(service, *(Invocation(each, ends_at=10 * (int(each) % 4)) for each in ids))
    found = client.as_completed([*ids], 60)
    assert next(found).inference_id == "0"
    clock.now += 100
    assert len(list(found)) == count - 1


def test_each_is_found_once_in_the_order_in_which_they_end(client, service):
    ends = {"a": 30, "b": 0.5, "c": 0.2, "d": 9}
    invoke(service, *(Invocation(each, ends_at=at) for each, at in ends.items()))
    found = client.as_completed(ends, 60)
    assert [each.inference_id for each in found] == ["c", "b", "d", "a"]


def test_those_that_ended_are_found_before_the_timeout_of_the_others_is_raised(client, service):
    invoke(service, Invocation("one", ends_at=2))
    found = client.as_completed(["one", "two"], 2)
    assert next(found).inference_id == "one"
    with pytest.raises(WaitTimeout) as timed_out:
        next(found)
    assert timed_out.value.pending == ["two"]


def test_no_ids_take_no_time_and_no_call(client, service):
    assert client.wait_all([], 60) == {}
    assert list(client.as_completed([], 60)) == []
    assert service.requests == []


def test_one_text_is_not_taken_for_its_letters(client):
    with pytest.raises(InvalidRequest, match="ids"):
        client.wait_all("one", 60)


def test_the_endpoint_is_in_every_question(client, service):
    invoke(service, Invocation("one"))
    client.wait("one", 60, endpoint="speech")
    client.wait_all(["one"], 60, endpoint="speech")
    one, many = service.requests
    assert one.url.params["endpoint"] == "speech"
    assert b'"endpoint": "speech"' in many.content
