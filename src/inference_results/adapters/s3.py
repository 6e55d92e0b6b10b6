"""Objects in S3."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from inference_results.adapters.aws.calls import is_transient, translate_unavailable
from inference_results.domain.queries.output import ObjectVersion
from inference_results.domain.record.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.record.location import Location
from inference_results.domain.results.ports import ObjectStart

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef


class S3Objects:
    """Reads the beginning of objects, never more than was asked for, and links to the whole."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read_start(self, location: Location, limit: int) -> ObjectStart:
        """The first `limit` bytes (at least one is asked for) in one ranged GET, two if empty."""
        with _refusals():
            answer = self._get(_object(location), limit)
            # Not `with answer["Body"]`: that hands out the raw stream, without botocore's checks.
            with closing(answer["Body"]) as stream:
                body = stream.read(limit)
        size = _total_size(answer)
        if len(body) != min(limit, size):
            raise Unavailable("s3", "IncompleteBody")
        return ObjectStart(
            body=body,
            size=size,
            etag=answer["ETag"],
            version_id=answer.get("VersionId"),
            content_type=answer.get("ContentType"),
            last_modified=answer.get("LastModified"),
        )

    def put(self, location: Location, body: bytes, content_type: str | None) -> None:
        """Write an object, whatever is there."""
        options: dict[str, Any] = {"ContentType": content_type} if content_type else {}
        with translate_unavailable("s3"):
            self._client.put_object(Bucket=location.bucket, Key=location.key, Body=body, **options)

    def look_up(self, location: Location, version_id: str | None) -> ObjectVersion:
        """A version of an object, or the present one.

        By GET, as errors of HEAD do not say what they are, and proxies mend its Content-Length.
        """
        with _refusals():
            answer = self._get(_object(location, version_id), 1)
        answer["Body"].close()
        return ObjectVersion(
            answer["ETag"], _total_size(answer), answer.get("VersionId"), answer["LastModified"]
        )

    def link(self, location: Location, version_id: str | None, seconds: int) -> str:
        """A URL that anyone may read a version with, signed with the rights of this function."""
        return self._client.generate_presigned_url(
            "get_object", Params=_object(location, version_id), ExpiresIn=seconds
        )

    def _get(self, what: dict[str, Any], limit: int) -> "GetObjectOutputTypeDef":
        try:
            return self._client.get_object(**what, Range=f"bytes=0-{max(limit, 1) - 1}")
        except ClientError as error:
            # An empty object has no range that could be satisfied.
            if error.response["Error"]["Code"] != "InvalidRange":
                raise
            return self._client.get_object(**what)


@contextmanager
def _refusals() -> Iterator[None]:
    with translate_unavailable("s3"):
        try:
            yield
        except ClientError as error:
            if is_transient(error):
                raise
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                raise ObjectMissing(code, "S3 has no such object") from error
            raise ObjectDenied(code, "S3 refuses to hand out the object") from error


def _object(location: Location, version_id: str | None = None) -> dict[str, Any]:
    if version_id is None:
        return {"Bucket": location.bucket, "Key": location.key}
    return {"Bucket": location.bucket, "Key": location.key, "VersionId": version_id}


def _total_size(answer: "GetObjectOutputTypeDef") -> int:
    content_range = answer.get("ContentRange")
    return int(content_range.rpartition("/")[2]) if content_range else answer["ContentLength"]
