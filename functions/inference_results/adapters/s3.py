"""Objects in S3."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from inference_results.adapters.aws import may_pass, unavailability
from inference_results.domain.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.location import Location
from inference_results.domain.output import ObjectVersion
from inference_results.domain.ports import ObjectStart

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectRequestTypeDef


class S3Objects:
    """Reads the beginning of objects, never more than was asked for, and links to the whole."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read_start(self, location: Location, limit: int) -> ObjectStart:
        """The first `limit` bytes (at least one is asked for) in one ranged GET, two if empty."""
        with _refusals():
            return self._get(location, limit)

    def look_up(self, location: Location, version_id: str | None) -> ObjectVersion:
        """A version of an object, or the present one."""
        with _refusals():
            answer = self._client.head_object(**_object(location, version_id))
        return ObjectVersion(
            answer["ETag"], answer["ContentLength"], answer.get("VersionId"), answer["LastModified"]
        )

    def link(self, location: Location, version_id: str | None, seconds: int) -> str:
        """A URL that anyone may read a version with, signed with the rights of this function."""
        return self._client.generate_presigned_url(
            "get_object", Params=_object(location, version_id), ExpiresIn=seconds
        )

    def _get(self, location: Location, limit: int) -> ObjectStart:
        bucket, key = location.bucket, location.key
        last = max(limit, 1) - 1
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{last}")
        except ClientError as error:
            # An empty object has no range that could be satisfied.
            if error.response["Error"]["Code"] != "InvalidRange":
                raise
            answer = self._client.get_object(Bucket=bucket, Key=key)
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
        )


@contextmanager
def _refusals() -> Iterator[None]:
    with unavailability("s3"):
        try:
            yield
        except ClientError as error:
            if may_pass(error):
                raise
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                # An answer to HEAD has no body, and so only the number for a code.
                code = "NoSuchKey" if code == "404" else code
                raise ObjectMissing(code, "S3 has no such object") from error
            code = "AccessDenied" if code == "403" else code
            raise ObjectDenied(code, "S3 refuses to hand out the object") from error


def _object(location: Location, version_id: str | None) -> "HeadObjectRequestTypeDef":
    if version_id is None:
        return {"Bucket": location.bucket, "Key": location.key}
    return {"Bucket": location.bucket, "Key": location.key, "VersionId": version_id}


def _total_size(answer: "GetObjectOutputTypeDef") -> int:
    content_range = answer.get("ContentRange")
    return int(content_range.rpartition("/")[2]) if content_range else answer["ContentLength"]
