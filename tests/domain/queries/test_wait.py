import pytest

from inference_results.domain.queries.wait import WaitForInference, WaitForInferences
from inference_results.domain.record.errors import InvalidParameter, Unavailable, UnknownInference


class Clock:
    """A clock that only advances during sleep."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds

    def sleep(self, seconds):
        assert seconds > 0
        self.seconds += seconds

    @property
    def elapsed(self):
        return self.seconds - 100.0


def record(inference_id, status):
    return {"inference_id": inference_id, "endpoint_name": "here", "status": status}


class History:
    """The status of each id over time, as (second, status or error)."""

    def __init__(self, clock, **history):
        self.clock = clock
        self.history = history
        self.reads = []

    def status(self, inference_id):
        found = [
            each for each in self.history.get(inference_id, ()) if each[0] <= self.clock.elapsed
        ]
        return found[-1][1] if found else None

    def one(self, inference_id, endpoint_name):
        self.reads.append(inference_id)
        status = self.status(inference_id)
        if status is None:
            raise UnknownInference
        if isinstance(status, Exception):
            raise status
        return record(inference_id, status)

    def many(self, inference_ids, endpoint_name):
        self.reads.append(list(inference_ids))
        found = {each: self.status(each) for each in inference_ids}
        for each in found.values():
            if isinstance(each, Exception):
                raise each
        return {
            "inferences": [record(each, status) for each, status in found.items() if status],
            "missing": [
                {"inference_id": each, "reason": "unknown"}
                for each, status in found.items()
                if not status
            ],
        }


@pytest.fixture
def clock():
    return Clock()


def wait_for_one(clock, history, seconds, inference_id="a"):
    wait = WaitForInference(find=history.one, clock=clock, sleep=clock.sleep)
    return wait(inference_id, None, seconds)


def wait_for_many(clock, history, ids, seconds):
    wait = WaitForInferences(find=history.many, clock=clock, sleep=clock.sleep)
    return wait(ids, None, seconds)


@pytest.mark.parametrize("status", ["Completed", "Failed", "Expired", "Lost", "Preempted"])
def test_an_ended_inference_is_returned_at_once(clock, status):
    history = History(clock, a=[(0, status)])
    assert wait_for_one(clock, history, 20)["status"] == status
    assert (clock.elapsed, len(history.reads)) == (0, 1)


def test_a_wait_returns_soon_after_the_end(clock):
    history = History(clock, a=[(0, "InProgress"), (7, "Completed")])
    assert wait_for_one(clock, history, 20)["status"] == "Completed"
    assert 7 <= clock.elapsed <= 9


def test_an_inference_in_progress_is_returned_when_the_time_is_over(clock):
    history = History(clock, a=[(0, "InProgress")])
    assert wait_for_one(clock, history, 20)["status"] == "InProgress"
    assert clock.elapsed == 20


def test_an_unknown_id_is_waited_for(clock):
    history = History(clock, a=[(3, "Completed")])
    assert wait_for_one(clock, history, 20)["status"] == "Completed"
    assert clock.elapsed < 6


def test_an_id_that_stays_unknown_raises_when_the_time_is_over(clock):
    with pytest.raises(UnknownInference):
        wait_for_one(clock, History(clock), 20)
    assert clock.elapsed == 20


def test_without_a_wait_the_table_is_read_once(clock):
    history = History(clock, a=[(0, "InProgress")])
    assert wait_for_one(clock, history, 0)["status"] == "InProgress"
    assert (clock.elapsed, len(history.reads)) == (0, 1)


def test_a_long_wait_polls_a_bounded_number_of_times(clock):
    history = History(clock, a=[(0, "InProgress")])
    wait_for_one(clock, history, 20)
    assert len(history.reads) <= 16


THROTTLED = Unavailable("dynamodb", "Throttled")


def test_a_wait_continues_after_throttling(clock):
    history = History(clock, a=[(0, "InProgress"), (1, THROTTLED), (5, "Completed")])
    assert wait_for_one(clock, history, 20)["status"] == "Completed"
    batch = wait_for_many(clock, history, ["a"], 0)
    assert batch["inferences"][0]["status"] == "Completed"


def test_lasting_throttling_raises_when_the_time_is_over(clock):
    history = History(clock, a=[(0, THROTTLED)])
    with pytest.raises(Unavailable):
        wait_for_one(clock, history, 20)
    assert clock.elapsed == 20
    with pytest.raises(Unavailable):
        wait_for_many(clock, history, ["a"], 20)
    assert clock.elapsed == 40


@pytest.mark.parametrize("slowness", [1, 5, 6.9])
def test_slow_reads_extend_a_wait_by_one_read_at_most(clock, slowness):
    history = History(clock, a=[(0, "InProgress")])

    def slow(*arguments):
        clock.seconds += slowness
        return history.one(*arguments)

    wait = WaitForInference(find=slow, clock=clock, sleep=clock.sleep)
    assert wait("a", None, 20)["status"] == "InProgress"
    assert clock.elapsed <= 20 + slowness


@pytest.mark.parametrize("seconds", [-1, 20.1, float("nan"), float("inf"), True, "5"])
def test_a_wait_out_of_range_is_rejected(clock, seconds):
    with pytest.raises(InvalidParameter, match="wait: expected a number from 0 to 20"):
        wait_for_one(clock, History(clock), seconds)
    with pytest.raises(InvalidParameter, match="wait: expected a number from 0 to 20"):
        wait_for_many(clock, History(clock), ["a"], seconds)


def test_a_batch_returns_when_all_have_ended(clock):
    history = History(clock, a=[(0, "Completed")], b=[(5, "Failed")])
    batch = wait_for_many(clock, history, ["a", "b"], 20)
    assert {each["inference_id"]: each["status"] for each in batch["inferences"]} == {
        "a": "Completed",
        "b": "Failed",
    }
    assert batch["missing"] == []
    assert 5 <= clock.elapsed <= 7


def test_only_inferences_in_progress_are_read_again(clock):
    history = History(clock, a=[(0, "Completed")], b=[(1, "Failed")])
    wait_for_many(clock, history, ["a", "b"], 20)
    assert history.reads[0] == ["a", "b"]
    assert {tuple(each) for each in history.reads[1:]} == {("b",)}


def test_an_incomplete_batch_is_returned_when_the_time_is_over(clock):
    history = History(clock, a=[(0, "Completed")], b=[(0, "InProgress")])
    batch = wait_for_many(clock, history, ["a", "b", "c"], 10)
    statuses = {each["inference_id"]: each["status"] for each in batch["inferences"]}
    assert statuses == {"a": "Completed", "b": "InProgress"}
    assert batch["missing"] == [{"inference_id": "c", "reason": "unknown"}]
    assert clock.elapsed == 10


def test_an_ambiguous_id_is_not_waited_for(clock):
    def find(inference_ids, endpoint_name):
        return {"inferences": [], "missing": [{"inference_id": "a", "reason": "ambiguous"}]}

    wait = WaitForInferences(find=find, clock=clock, sleep=clock.sleep)
    assert wait(["a"], None, 20)["missing"] == [{"inference_id": "a", "reason": "ambiguous"}]
    assert clock.elapsed == 0
