"""Loads, and deployments for them. RECOMMENDED holds the recommended settings by load."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.scale import limits
from benchmarks.scale.write_profiles import WriteProfile, write_profiles
from infra.settings import Settings


@dataclass(frozen=True)
class Load:
    """Results per second, spread evenly over `endpoints`.

    `failed` is the share of failures, `registered` means that each was submitted or registered
    here, and `gets` is the number of API reads per record.
    """

    rate: float
    failed: float = 0.05
    registered: bool = False
    endpoints: int = 1
    gets: float = 1

    @property
    def profiles(self) -> list[tuple[WriteProfile, float]]:
        """The write profiles of the results, with their rates per second."""
        prefix = "registered, " if self.registered else ""
        profiles = write_profiles()
        return [
            (profiles[f"{prefix}completed"], self.rate * (1 - self.failed)),
            (profiles[f"{prefix}failed"], self.rate * self.failed),
        ]

    @property
    def changes(self) -> float:
        """Changes per second in the table's stream. Lambda filters expired records out."""
        return sum(rate * len(profile.items) for profile, rate in self.profiles)

    def units(self, name: str) -> float:
        """Return the write units per second of the table or an index."""
        return sum(rate * profile.units[name] for profile, rate in self.profiles)


@dataclass(frozen=True)
class Plan:
    """A deployment: settings that differ from the defaults, and preparations on AWS.

    `warm_writes` is the warm throughput of the table and of each index (write units per second),
    `output_prefixes` the number of S3 prefixes, and `quotas` the raised quotas by limit.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    warm_writes: int = limits.NEW_TABLE_WRITES
    output_prefixes: int = 1
    quotas: Mapping[str, float] = field(default_factory=dict)

    @property
    def all_settings(self) -> Settings:
        return Settings(output_prefixes=("s3://customer-outputs/",), **self.settings)

    @property
    def partitions(self) -> int:
        """Partitions of the table, and of each index: as many as the warm throughput needs."""
        return math.ceil(self.warm_writes / limits.PARTITION_WRITES.value)

    def limit(self, it: limits.Limit) -> float:
        return self.quotas.get(it.name, it.value)


RECOMMENDED: Final = {
    10: Plan(),
    100: Plan({"maximum_concurrency": 20}),
    1_000: Plan({"maximum_concurrency": 50, "shards": 64}, warm_writes=16_000),
    10_000: Plan(
        {
            "batch_size": 100,
            "batch_window_seconds": 1,
            "maximum_concurrency": 400,
            "workers": 32,
            "shards": 256,
        },
        warm_writes=64_000,
        output_prefixes=8,
        quotas={
            limits.TABLE_WRITES.name: 100_000,
            limits.CONCURRENCY.name: 3_000,
            limits.API_REQUESTS.name: 25_000,
            limits.EVENT_TARGETS.name: 50_000,
        },
    ),
}
"""By results per second."""
