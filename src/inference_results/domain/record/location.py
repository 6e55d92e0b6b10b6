"""Where an object is, as SageMaker's notifications say it.

Locations are not percent-encoded: `#`, `?`, `%`, `+` and spaces belong to the key as they stand,
so nothing here unquotes, and no URL parser is used.
"""

import re
from dataclasses import dataclass

from inference_results.domain.record.errors import LocationRejected

_BUCKET = r"(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9])"
_S3_HOST = r"s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?"
_FORMS = (
    re.compile(rf"s3://{_BUCKET}/(?P<key>.+)", re.DOTALL),
    re.compile(rf"https://{_S3_HOST}/{_BUCKET}/(?P<key>.+)", re.DOTALL),
    re.compile(rf"https://{_BUCKET}\.{_S3_HOST}/(?P<key>.+)", re.DOTALL),
)
_PREFIX = re.compile(rf"s3://{_BUCKET}/(?P<key>.*)", re.DOTALL)
_MAX_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a key, the key exactly as given."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_location(text: str) -> Location:
    """Read `s3://bucket/key` or either https style of S3.

    Raises LocationRejected for anything else.
    """
    for form in _FORMS:
        if found := form.fullmatch(text):
            return _location(found)
    raise LocationRejected("LocationInvalid", "expected s3://bucket/key or an https URL of S3")


def parse_prefix(text: str) -> Location:
    """Read `s3://bucket/` or `s3://bucket/prefix`: the key is what other keys begin with.

    Raises LocationRejected for anything else.
    """
    if found := _PREFIX.fullmatch(text):
        return _location(found)
    raise LocationRejected("LocationInvalid", "expected s3://bucket/ or s3://bucket/prefix/")


def allowed_location(text: str, prefixes: tuple[str, ...]) -> Location:
    """The location, if it lies below one of `prefixes` (`s3://bucket/prefix/`, ending in `/`).

    A key with a `..` segment is refused: S3 takes it literally, but what stands between may not.
    """
    location = parse_location(text)
    if ".." in location.key.split("/") or not location.uri.startswith(prefixes):
        raise LocationRejected("LocationNotAllowed", "outside the output prefixes that may be read")
    return location


def _location(found: re.Match[str]) -> Location:
    try:
        size = len(found["key"].encode())
    except UnicodeEncodeError:
        raise LocationRejected("LocationInvalid", "expected valid Unicode") from None
    if size > _MAX_KEY_BYTES:
        raise LocationRejected("LocationInvalid", "expected a key of at most 1024 bytes")
    return Location(found["bucket"], found["key"])
