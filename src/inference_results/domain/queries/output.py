"""Locate the output of an inference: the object version that was recorded, and no other."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from inference_results.contract import Attribute, Status
from inference_results.domain.record.errors import (
    NoOutput,
    ObjectMissing,
    ObjectReplaced,
    OutputUnreadable,
)
from inference_results.domain.record.location import Location, ObjectVersion
from inference_results.domain.record.timestamps import timestamp

LINK_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Link:
    """A presigned URL for the output, valid for `LINK_SECONDS`."""

    url: str


@dataclass(frozen=True, slots=True)
class Content:
    """The whole output, if only the record has it."""

    body: bytes
    content_type: str


class ObjectVersions(Protocol):
    """S3."""

    def look_up(self, location: Location, version_id: str | None) -> ObjectVersion:
        """Look up a version, or the latest. Raises ObjectDenied, ObjectMissing or Unavailable."""

    def link(self, location: Location, version_id: str | None, seconds: int) -> str:
        """Presign a URL that is valid for `seconds`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocateOutput:
    """`find`: FindInference, or a function that waits first."""

    find: Callable[[str, str | None], dict[str, Any]]
    objects: ObjectVersions

    def __call__(self, inference_id: str, endpoint_name: str | None = None) -> Link | Content:
        """Link to the object that was read when the result was recorded.

        If none was read, link to the object that is there now, unless it was written later or its
        size is not the response's. Without versioning, the object can be replaced while the link is
        valid. Raises NoOutput, OutputUnreadable, Unavailable, and what `find` raises.
        """
        record = self.find(inference_id, endpoint_name)
        if record[Attribute.STATUS] != Status.COMPLETED:
            raise NoOutput(record[Attribute.STATUS])
        output = record.get(Attribute.OUTPUT, {})
        if "location" not in output:
            return _content(record, output)
        location = Location(output["bucket"], output["key"])
        try:
            version = self.objects.look_up(location, output.get("version_id"))
        except ObjectMissing as missing:
            if Attribute.OUTPUT_ERROR not in record:
                raise
            message = "S3 has no object at the location, and had none when the result was recorded"
            raise OutputUnreadable(missing.code, message) from missing
        if _is_replaced(version, record):
            raise ObjectReplaced("ObjectReplaced", "S3 has another object at the location")
        return Link(self.objects.link(location, version.version_id, LINK_SECONDS))


def _is_replaced(version: ObjectVersion, record: dict[str, Any]) -> bool:
    output = record[Attribute.OUTPUT]
    if "etag" in output:
        return bool(version.etag != output["etag"])
    written_later = timestamp(version.last_modified) > record[Attribute.RECORDED_AT]
    return bool(written_later or output.get("size", version.size) != version.size)


def _content(record: dict[str, Any], output: dict[str, Any]) -> Content:
    if "inline" in output:
        inline = output["inline"]
        text = inline["content"]
        binary = inline["encoding"] == "base64"
        body = base64.b64decode(text) if binary else text.encode()
        return Content(body, output.get("content_type", "application/octet-stream"))
    error = record.get(Attribute.OUTPUT_ERROR, {})
    raise OutputUnreadable(
        error.get("code", "Unknown"), error.get("message", "the record has no output")
    )
