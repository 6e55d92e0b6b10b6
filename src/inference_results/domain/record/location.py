"""Parse the locations of S3 objects in SageMaker's notifications.

Locations are not percent-encoded: `#`, `?`, `%`, `+` and spaces are part of the key. So do not
unquote them or use a URL parser.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from inference_results.domain.record.errors import LocationRejected

_BUCKET = r"(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9])"
_S3_HOST = r"s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?"
_STYLES = (
    re.compile(rf"s3://{_BUCKET}/(?P<key>.+)", re.DOTALL),
    re.compile(rf"https://{_S3_HOST}/{_BUCKET}/(?P<key>.+)", re.DOTALL),
    re.compile(rf"https://{_BUCKET}\.{_S3_HOST}/(?P<key>.+)", re.DOTALL),
)
_PREFIX = re.compile(rf"s3://{_BUCKET}/(?P<key>.*)", re.DOTALL)
_MAX_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a key. The key is exactly as given."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """An object as it is in S3 now. `version_id` is None in a bucket without versioning."""

    etag: str
    size: int
    version_id: str | None
    last_modified: datetime


def parse_location(text: str) -> Location:
    """Parse `s3://bucket/key` or an https URL of S3 in either style. Raises LocationRejected."""
    for style in _STYLES:
        if found := style.fullmatch(text):
            return _location(found)
    raise LocationRejected(
        "LocationInvalid", "expected s3://bucket/key or an https URL of an S3 object"
    )


def parse_prefix(text: str) -> Location:
    """Parse `s3://bucket/` or `s3://bucket/prefix`. Raises LocationRejected."""
    if found := _PREFIX.fullmatch(text):
        return _location(found)
    raise LocationRejected("LocationInvalid", "expected s3://bucket/ or s3://bucket/prefix/")


def allowed_location(text: str, prefixes: tuple[str, ...]) -> Location:
    """Parse a location below one of `prefixes` (`s3://bucket/prefix/`). Raises LocationRejected.

    Rejects keys with a `..` segment: S3 takes it literally, but HTTP clients and proxies may not.
    """
    location = parse_location(text)
    if ".." in location.key.split("/") or not location.uri.startswith(prefixes):
        expected = "expected a location below the stack's output_prefixes, without a .. segment"
        raise LocationRejected("LocationNotAllowed", expected)
    return location


def _location(found: re.Match[str]) -> Location:
    try:
        size = len(found["key"].encode())
    except UnicodeEncodeError:
        raise LocationRejected("LocationInvalid", "expected valid Unicode") from None
    if size > _MAX_KEY_BYTES:
        raise LocationRejected("LocationInvalid", "expected a key of at most 1024 bytes")
    return Location(found["bucket"], found["key"])
