"""Objects in S3."""

from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from inference_results.adapters.aws import may_pass, unavailability
from inference_results.domain.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.location import Location
from inference_results.domain.ports import ObjectStart

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef


class S3Objects:
    """Reads the beginning of objects; never more than was asked for."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read_start(self, location: Location, limit: int) -> ObjectStart:
        """The first `limit` bytes (at least one is asked for) in one ranged GET, two if empty."""
        with unavailability("s3"):
            try:
                return self._get(location, limit)
            except ClientError as error:
                if may_pass(error):
                    raise
                code = error.response["Error"]["Code"]
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                    raise ObjectMissing(code, "S3 has no such object") from error
                raise ObjectDenied(code, "S3 refuses to hand out the object") from error

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


def _total_size(answer: "GetObjectOutputTypeDef") -> int:
    content_range = answer.get("ContentRange")
    return int(content_range.rpartition("/")[2]) if content_range else answer["ContentLength"]
