"""Write units of an index's hottest key and partition, and read units of a list."""

import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from benchmarks.dynamodb_units import item_bytes, read_units
from benchmarks.reviewed_template import indexes
from benchmarks.scale.load import Load, Plan
from benchmarks.scale.write_profiles import WriteProfile, write_profiles
from inference_results.contract import Index

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


def index_heat(index: Index, load: Load, plan: Plan) -> Hottest:
    """Calculate the hottest key and partition of an index.

    Its keys are the shards of an endpoint, of a status, or of both.
    """
    shards = plan.all_settings.shards
    units = defaultdict[str, float](float)
    for profile, rate in load.profiles:
        for status, number in _units_by_status(index, profile).items():
            units[status] += rate * number
    spread = shards * (1 if index == Index.BY_STATUS else load.endpoints)
    by_key: Counter[float] = Counter()
    for total in units.values():
        by_key[total / spread] += spread
    return hottest(by_key, plan.partitions)


def _units_by_status(index: Index, profile: WriteProfile) -> dict[str, int]:
    """Return the write units of one inference by status. Deleting an entry costs its old key."""
    total = profile.units[index]
    if not total:
        return {}
    if index == Index.BY_ENDPOINT:
        return {"": total}
    statuses = [item["status"]["S"] for item in profile.items]
    in_progress = write_profiles()["registered, completed"].units[index] if len(statuses) > 1 else 0
    units = {"InProgress": in_progress, statuses[-1]: total - in_progress}
    return {status: number for status, number in units.items() if number}


def list_units(shards: int, page_size: int = 50) -> float:
    """Return the read units of an endpoint's list, which queries each shard for a share of it.

    The share is that of adapters/table/queries.py. Entries are those of completed results.
    """
    share = min(page_size, 2 * page_size // shards + 10)
    (index,) = [each for each in indexes() if each.name == Index.BY_ENDPOINT]
    entry = index.entry(write_profiles()["completed"].items[0])
    assert entry
    return shards * read_units(share * item_bytes(entry), consistent=False)
