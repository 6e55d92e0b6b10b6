import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.summaries.latency import bucket_for, describe_latency, percentile

SEVEN_HOURS = 7 * 3600 * 1000
"""SageMaker's limits: six hours in the queue, and one hour to run."""


def exact(latencies, percent):
    """A percentile by nearest rank."""
    return sorted(latencies)[math.ceil(percent * len(latencies) / 100) - 1]


@given(
    st.lists(st.integers(0, SEVEN_HOURS), min_size=1, max_size=200),
    st.sampled_from([1, 50, 90, 99, 100]),
)
def test_a_percentile_is_within_five_percent_and_half_a_millisecond(latencies, percent):
    approximate = percentile(Counter(map(bucket_for, latencies)), percent)
    expected = exact(latencies, percent)
    tolerance = 0.05 * expected + 0.5 + 1e-6
    assert abs(approximate - expected) <= tolerance or (approximate, expected) == (1, 0)


def test_percentiles_of_many_random_latencies_are_within_five_percent():
    source = random.Random(7)  # noqa: S311 - reproducible
    latencies = [round(source.lognormvariate(8, 2)) + 100 for _ in range(20_000)]
    described = describe_latency(Counter(map(bucket_for, latencies)))
    for percent in (50, 90, 99):
        assert described[f"p{percent}_ms"] == pytest.approx(exact(latencies, percent), rel=0.05)


@given(st.integers(1, SEVEN_HOURS))
def test_a_bucket_ends_at_or_above_its_latencies(latency):
    (bucket,) = describe_latency({bucket_for(latency): 1})["histogram"]
    assert latency <= bucket["up_to_ms"] <= latency * 1.05 / 0.95


def test_a_latency_below_a_millisecond_is_in_the_first_bucket():
    assert bucket_for(0) == bucket_for(-5000) == bucket_for(1) == 0


def test_whole_milliseconds_up_to_seven_hours_take_157_buckets():
    every, further = range(1, 10_000), range(bucket_for(10_000), bucket_for(SEVEN_HOURS) + 1)
    assert len({*map(bucket_for, every), *further}) == 157


def test_the_histogram_is_sorted_by_latency():
    described = describe_latency(Counter(map(bucket_for, [5000, 1, 800, 810])))
    assert described == {
        "count": 4,
        "p50_ms": 776,
        "p90_ms": 5197,
        "p99_ms": 5197,
        "histogram": [
            {"up_to_ms": 1, "count": 1},
            {"up_to_ms": 816, "count": 2},
            {"up_to_ms": 5470, "count": 1},
        ],
    }
