"""How the keys of an index share its partitions."""

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
    """Write units a second: of the hottest key, which no split of partitions helps, and of the
    hottest partition while DynamoDB has split none for its heat (the median of 101 placements)."""

    key: float
    partition: float


def hottest(keys: Mapping[float, int], partitions: int) -> Hottest:
    """`keys`: how many keys have so many units a second each.

    DynamoDB places a key by a hash of its own: here by chance, in partitions of the same size.
    """
    if not keys:
        return Hottest(0, 0)
    return Hottest(max(keys), _partition(tuple(sorted(keys.items())), partitions))


@lru_cache(maxsize=256)
def _partition(keys: tuple[tuple[float, int], ...], partitions: int) -> float:
    chance = random.Random(1)  # noqa: S311 - to be repeated
    found = []
    for _ in range(_PLACEMENTS):
        sums = [0.0] * partitions
        for units, number in keys:
            for _ in range(number):
                sums[chance.randrange(partitions)] += units
        found.append(max(sums))
    return statistics.median(found)


def shares(ids: Iterable[str], shards: int) -> Counter[int]:
    """How many ids are in which shard, by the product's rule."""
    return Counter(zlib.crc32(each.encode()) % shards for each in ids)
