"""Latency histograms with exponentially growing buckets.

Bucket `i` counts latencies above GAMMA**(i-1) and up to GAMMA**i milliseconds, so the middle of a
bucket is within 5% of every latency in it. One millisecond to seven hours take 157 buckets. Unlike
percentiles, such histograms can be added. See DDSketch, https://arxiv.org/abs/1908.10693.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

_RELATIVE_ERROR: Final = 0.05
_GAMMA: Final = (1 + _RELATIVE_ERROR) / (1 - _RELATIVE_ERROR)
_PERCENTS: Final = (50, 90, 99)


def bucket_for(milliseconds: int) -> int:
    """The bucket of a latency. Zero and below are in the first one: clocks can disagree."""
    return math.ceil(math.log(max(milliseconds, 1), _GAMMA))


def describe_latency(buckets: Mapping[int, int]) -> dict[str, Any]:
    """Count, percentiles and histogram of latencies. `buckets` has no empty bucket.

    A percentile is one of the latencies (nearest rank), within 5% and half a millisecond.
    """
    return {
        "count": sum(buckets.values()),
        **{f"p{percent}_ms": percentile(buckets, percent) for percent in _PERCENTS},
        "histogram": [
            {"up_to_ms": math.floor(_GAMMA**bucket), "count": buckets[bucket]}
            for bucket in sorted(buckets)
        ],
    }


def percentile(buckets: Mapping[int, int], percent: int) -> int:
    """A percentile in milliseconds, by nearest rank."""
    rank = math.ceil(percent * sum(buckets.values()) / 100)
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            break
    return round(2 * _GAMMA**bucket / (_GAMMA + 1))
