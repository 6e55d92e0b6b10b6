"""The use case: the output of inference X, as the object that was recorded and no other."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from inference_results.contract import Attribute, Status
from inference_results.domain.record.errors import (
    NoOutput,
    ObjectMissing,
    ObjectReplaced,
    OutputUnreadable,
)
from inference_results.domain.record.location import Location
from inference_results.domain.record.timestamps import timestamp

LINK_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """What S3 says of an object now; `version_id` is missing in a bucket without versions."""

    etag: str
    size: int
    version_id: str | None
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """Where the output can be read without further rights, for `LINK_SECONDS`."""

    url: str


@dataclass(frozen=True, slots=True)
class Content:
    """The whole output, where it is in the record and nowhere else."""

    body: bytes
    content_type: str


class ObjectVersions(Protocol):
    """S3, as it is asked for one version of an object."""

    def look_up(self, location: Location, version_id: str | None) -> ObjectVersion:
        """Raises ObjectMissing, ObjectDenied or Unavailable."""

    def link(self, location: Location, version_id: str | None, seconds: int) -> str:
        """A presigned URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocateOutput:
    """`find` answers with a record: FindInference, or whatever waits before it does."""

    find: Callable[[str, str | None], dict[str, Any]]
    objects: ObjectVersions

    def __call__(self, inference_id: str, endpoint_name: str | None = None) -> Link | Content:
        """Raises NoOutput, OutputUnreadable, ObjectReplaced, Unavailable, and what `find` raises.

        What was read when the result was recorded is what is linked to. Where nothing was read,
        it is the object that is there now, unless it was written since or has another size than the
        response. A bucket without versions cannot hold on to it while the link lives.
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
            raise OutputUnreadable(missing.code, "it was not there at the time either") from missing
        if _is_another(version, record):
            raise ObjectReplaced("ObjectReplaced", "S3 holds another object at the location")
        return Link(self.objects.link(location, version.version_id, LINK_SECONDS))


def _is_another(version: ObjectVersion, record: dict[str, Any]) -> bool:
    output = record[Attribute.OUTPUT]
    if "etag" in output:
        return bool(version.etag != output["etag"])
    written_since = timestamp(version.last_modified) > record[Attribute.RECORDED_AT]
    return bool(written_since or output.get("size", version.size) != version.size)


def _content(record: dict[str, Any], output: dict[str, Any]) -> Content:
    if "inline" in output:
        inline = output["inline"]
        text = inline["content"]
        binary = inline["encoding"] == "base64"
        body = base64.b64decode(text) if binary else text.encode()
        return Content(body, output.get("content_type", "application/octet-stream"))
    why = record.get(Attribute.OUTPUT_ERROR, {})
    raise OutputUnreadable(why.get("code", "Unknown"), why.get("message", "none is recorded"))
