"""A compact set of the locations that records point to."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from inference_results.domain.record.errors import LocationRejected
from inference_results.domain.record.location import Location, parse_location

_DIGEST_BYTES: Final = 8
_PARTITIONS: Final = 256
"""Each is sorted separately: sorting creates int objects, which take four times the memory."""


class KnownLocations:
    """Locations below a prefix, as digests of eight bytes each.

    With n known and m unknown locations, the probability of taking any unknown one for known is
    n * m / 2**64: 1 in 180,000 for ten million of each.
    """

    def __init__(self, prefix: Location, locations: Iterable[str]) -> None:
        """`locations` are in any style that records use. Invalid ones are ignored."""
        self._partitions = [array("Q") for _ in range(_PARTITIONS)]
        for text in locations:
            uri = _uri(text)
            if uri is not None and uri.startswith(prefix.uri):
                digest = _digest(uri)
                self._partitions[digest % _PARTITIONS].append(digest)
        for number, partition in enumerate(self._partitions):
            self._partitions[number] = array("Q", sorted(partition))

    def __contains__(self, location: Location) -> bool:
        digest = _digest(location.uri)
        partition = self._partitions[digest % _PARTITIONS]
        index = bisect_left(partition, digest)
        return index < len(partition) and partition[index] == digest

    def __len__(self) -> int:
        """The number of locations, including duplicates."""
        return sum(map(len, self._partitions))


def _uri(text: str) -> str | None:
    try:
        return parse_location(text).uri
    except LocationRejected:
        return None


def _digest(uri: str) -> int:
    return int.from_bytes(blake2b(uri.encode(), digest_size=_DIGEST_BYTES).digest(), "big")
