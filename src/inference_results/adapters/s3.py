"""S3 objects: read their first bytes, look up a version, write them, presign URLs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from inference_results.adapters.aws.errors import is_transient, translate_unavailable
from inference_results.domain.record.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.record.location import Location, ObjectVersion
from inference_results.domain.results.ports import ObjectStart

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef


class S3Objects:
    """Objects in any bucket. Reads never transfer more than the requested bytes."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read_start(self, location: Location, limit: int) -> ObjectStart:
        """Read the first `limit` bytes with one ranged GET, or two if the object is empty.

        The range is never shorter than one byte. Raises ObjectDenied, ObjectMissing or Unavailable.
        """
        with _translate_errors():
            response = self._get(_parameters(location), limit)
            # Not `with response["Body"]`: it returns the raw stream, without botocore's checks.
            with closing(response["Body"]) as stream:
                body = stream.read(limit)
        size = _total_size(response)
        if len(body) != min(limit, size):
            raise Unavailable("s3", "IncompleteBody")
        return ObjectStart(
            body=body,
            size=size,
            etag=response["ETag"],
            version_id=response.get("VersionId"),
            content_type=response.get("ContentType"),
            last_modified=response.get("LastModified"),
        )

    def put(self, location: Location, body: bytes, content_type: str | None) -> None:
        """Write an object, and overwrite an existing one. Raises Unavailable."""
        options: dict[str, Any] = {"ContentType": content_type} if content_type else {}
        with translate_unavailable("s3"):
            self._client.put_object(Bucket=location.bucket, Key=location.key, Body=body, **options)

    def look_up(self, location: Location, version_id: str | None) -> ObjectVersion:
        """Look up a version, or the current one. Raises ObjectDenied, ObjectMissing or Unavailable.

        Uses GET: errors of HEAD have no code, and proxies change its Content-Length.
        """
        with _translate_errors():
            response = self._get(_parameters(location, version_id), 1)
        response["Body"].close()
        return ObjectVersion(
            response["ETag"],
            _total_size(response),
            response.get("VersionId"),
            response["LastModified"],
        )

    def link(self, location: Location, version_id: str | None, seconds: int) -> str:
        """Presign a GET of a version, with the caller's own credentials."""
        return self._client.generate_presigned_url(
            "get_object", Params=_parameters(location, version_id), ExpiresIn=seconds
        )

    def _get(self, parameters: dict[str, Any], limit: int) -> "GetObjectOutputTypeDef":
        try:
            return self._client.get_object(**parameters, Range=f"bytes=0-{max(limit, 1) - 1}")
        except ClientError as error:
            # No range of an empty object is valid.
            if error.response["Error"]["Code"] != "InvalidRange":
                raise
            return self._client.get_object(**parameters)


@contextmanager
def _translate_errors() -> Iterator[None]:
    with translate_unavailable("s3"):
        try:
            yield
        except ClientError as error:
            if is_transient(error):
                raise
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                raise ObjectMissing(code, "S3 has no such object") from error
            raise ObjectDenied(code, "S3 did not return the object") from error


def _parameters(location: Location, version_id: str | None = None) -> dict[str, Any]:
    if version_id is None:
        return {"Bucket": location.bucket, "Key": location.key}
    return {"Bucket": location.bucket, "Key": location.key, "VersionId": version_id}


def _total_size(response: "GetObjectOutputTypeDef") -> int:
    content_range = response.get("ContentRange")
    return int(content_range.rpartition("/")[2]) if content_range else response["ContentLength"]
