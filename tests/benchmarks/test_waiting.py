import pytest

from benchmarks.waiting import (
    API,
    ASYNC_API,
    OUTPUT,
    POLLING,
    SDK,
    SECONDS,
    STILL_WAITING,
    TABLE,
    Waited,
    part_of,
)

ENDS = [1000.0 + seconds for seconds in (*SECONDS, 60, 60)]


def waited(calls, delay):
    """By somebody who knows of every end so many seconds later."""
    ends = [Waited(calls, end + delay, OUTPUT) for end in ENDS]
    ends[-2:] = [Waited(calls, end + delay, "InferenceFailed") for end in ENDS[-2:]]
    return ends


def everybody():
    return {
        POLLING: [*waited(30, 1.0)[:-2], *[Waited(40, None, STILL_WAITING)] * 2],
        SDK: waited(13, 8.0),
        API: waited(5, 0.5),
        ASYNC_API: waited(6, 1.5),
        TABLE: waited(40, 0.5),
    }


def test_the_targets_are_those_of_the_slower_of_our_clients():
    part = part_of(everybody(), ENDS)

    measured = {each.name: each.measured for each in part.targets}
    assert measured["waiting over HTTP: calls"] == 6
    assert measured["waiting over HTTP: delay"] == pytest.approx(1.5)


def test_who_still_waits_for_what_failed_has_no_delay():
    part = part_of(everybody(), ENDS)

    failed = part.facts["failed"]
    assert failed[POLLING] == {"outcome": STILL_WAITING, "calls": 40, "delay_s": None}
    assert failed[API] == {"outcome": "InferenceFailed", "calls": 5, "delay_s": 0.5}


def test_a_wait_without_its_output_is_not_measured():
    of_all = everybody()
    of_all[SDK][1] = Waited(3, ENDS[1], "UnexpectedClientError")

    with pytest.raises(RuntimeError, match="SageMaker SDK"):
        part_of(of_all, ENDS)
