"""A histogram of latencies, whose buckets grow with what they count.

Bucket `i` counts the latencies above GAMMA**(i-1) and up to GAMMA**i milliseconds, so the middle of
a bucket is at most 5 % off whatever the latency: from a millisecond to seven hours in 157 buckets.
Unlike percentiles, such histograms can be added up. See DDSketch, https://arxiv.org/abs/1908.10693.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

_RELATIVE_ERROR: Final = 0.05
_GAMMA: Final = (1 + _RELATIVE_ERROR) / (1 - _RELATIVE_ERROR)
_PERCENTS: Final = (50, 90, 99)


def bucket_for(milliseconds: int) -> int:
    """The bucket of a latency; the first one for zero, and below it, where clocks disagreed."""
    return math.ceil(math.log(max(milliseconds, 1), _GAMMA))


def describe_latency(buckets: Mapping[int, int]) -> dict[str, Any]:
    """How many latencies, percentiles, and the buckets themselves; each bucket counts some.

    A percentile is one of the latencies (the nearest rank), told to 5 % and half a millisecond.
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
    """The latency, in milliseconds, that `percent` of 100 do not exceed."""
    rank = math.ceil(percent * sum(buckets.values()) / 100)
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            break
    return round(2 * _GAMMA**bucket / (_GAMMA + 1))
