import pytest

from benchmarks.waiting import API, ASYNC_API, POLLING, SDK, SECONDS, TABLE, part_of
from benchmarks.waiting_clients import OUTPUT, STILL_WAITING, Wait

ENDS = [1000.0 + seconds for seconds in (*SECONDS, 60, 60)]


def waits_with_delay(calls, delay):
    """Build a contestant's waits that all end this many seconds after the inference."""
    waits = [Wait(calls, end + delay, OUTPUT) for end in ENDS]
    waits[-2:] = [Wait(calls, end + delay, "InferenceFailed") for end in ENDS[-2:]]
    return waits


def all_waits():
    return {
        POLLING: [*waits_with_delay(30, 1.0)[:-2], *[Wait(40, None, STILL_WAITING)] * 2],
        SDK: waits_with_delay(13, 8.0),
        API: waits_with_delay(5, 0.5),
        ASYNC_API: waits_with_delay(6, 1.5),
        TABLE: waits_with_delay(40, 0.5),
    }


def test_the_http_targets_measure_the_slower_client():
    part = part_of(all_waits(), ENDS)

    measured = {each.name: each.measured for each in part.targets}
    assert measured["waiting over HTTP: calls"] == 6
    assert measured["waiting over HTTP: delay"] == pytest.approx(1.5)


def test_a_contestant_that_still_waits_has_no_delay():
    part = part_of(all_waits(), ENDS)

    failed = part.facts["failed"]
    assert failed[POLLING] == {"outcome": STILL_WAITING, "calls": 40, "delay_s": None}
    assert failed[API] == {"outcome": "InferenceFailed", "calls": 5, "delay_s": 0.5}


def test_a_missing_output_is_an_error():
    waits = all_waits()
    waits[SDK][1] = Wait(3, ENDS[1], "UnexpectedClientError")

    with pytest.raises(RuntimeError, match="SageMaker SDK"):
        part_of(waits, ENDS)
