"""Which objects records point to, in a few bytes for each."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from inference_results.domain.record.errors import LocationRejected
from inference_results.domain.record.location import Location, parse_location

_DIGEST_BYTES: Final = 8
_PARTS: Final = 256
"""Each is sorted by itself: sorting makes objects of its numbers, four times as large as they."""


class KnownLocations:
    """Locations below a prefix, eight bytes for each.

    They are held as digests: of n known locations and m others, one of the others passes for known
    with a probability of n * m / 2**64, which is 1 in 180,000 for ten million of each.
    """

    def __init__(self, prefix: Location, locations: Iterable[str]) -> None:
        """`locations` are texts as records hold them; those that are none are left out."""
        self._parts = [array("Q") for _ in range(_PARTS)]
        below = prefix.uri
        for text in locations:
            uri = _uri(text)
            if uri is not None and uri.startswith(below):
                digest = _digest(uri)
                self._parts[digest % _PARTS].append(digest)
        for number, part in enumerate(self._parts):
            self._parts[number] = array("Q", sorted(part))

    def __contains__(self, location: Location) -> bool:
        digest = _digest(location.uri)
        part = self._parts[digest % _PARTS]
        place = bisect_left(part, digest)
        return place < len(part) and part[place] == digest

    def __len__(self) -> int:
        """How many were told, those told twice counted twice."""
        return sum(map(len, self._parts))


def _uri(text: str) -> str | None:
    """`s3://bucket/key`, whichever style the location has."""
    try:
        return parse_location(text).uri
    except LocationRejected:
        return None


def _digest(uri: str) -> int:
    return int.from_bytes(blake2b(uri.encode(), digest_size=_DIGEST_BYTES).digest(), "big")
