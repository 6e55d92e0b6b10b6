"""Distribute the keys of an index over its partitions."""

import random
import statistics
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_PLACEMENTS: Final = 101


@dataclass(frozen=True)
class Hottest:
    """Write units per second of the hottest key and of the hottest partition.

    Splitting partitions does not help a hot key. The partition is the median of 101 placements,
    before DynamoDB has split any partition for heat.
    """

    key: float
    partition: float


def hottest(keys: Mapping[float, int], partitions: int) -> Hottest:
    """Calculate the hottest key and partition. `keys` counts the keys by units per second.

    DynamoDB places a key by a hash; here keys are placed at random in equal partitions.
    """
    if not keys:
        return Hottest(0, 0)
    return Hottest(max(keys), _hottest_partition(tuple(sorted(keys.items())), partitions))


@lru_cache(maxsize=256)
def _hottest_partition(keys: tuple[tuple[float, int], ...], partitions: int) -> float:
    rng = random.Random(1)  # noqa: S311 - reproducible
    maxima = []
    for _ in range(_PLACEMENTS):
        sums = [0.0] * partitions
        for units, number in keys:
            for _ in range(number):
                sums[rng.randrange(partitions)] += units
        maxima.append(max(sums))
    return statistics.median(maxima)


def ids_by_shard(ids: Iterable[str], shards: int) -> Counter[int]:
    """Count the ids per shard, by the rule of the product."""
    return Counter(zlib.crc32(each.encode()) % shards for each in ids)
