"""List the objects of an S3 bucket."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.domain.reconciliation.backfill import StoredObject
from inference_results.domain.reconciliation.retry import RetryUnavailable
from inference_results.domain.record.location import Location

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef


class S3Listing:
    """Lists general purpose buckets, whose keys S3 sorts by their UTF-8 bytes."""

    def __init__(self, client: "S3Client", retry: RetryUnavailable) -> None:
        self._client = client
        self._retry = retry

    def check(self, prefix: Location) -> None:
        """List one key, to raise early what `pages` would raise."""
        self._retry(partial(self._page, prefix, {"MaxKeys": 1}))

    def pages(self, prefix: Location, start_after: str | None) -> Iterator[Sequence[StoredObject]]:
        """Yield pages of up to 1,000 objects, each read on demand. Raises Unavailable."""
        position: dict[str, Any] = {} if start_after is None else {"StartAfter": start_after}
        while True:
            page = self._retry(partial(self._page, prefix, position))
            yield [_stored_object(prefix.bucket, each) for each in page.get("Contents", ())]
            if not page["IsTruncated"]:
                return
            position = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, prefix: Location, options: dict[str, Any]) -> "ListObjectsV2OutputTypeDef":
        with translate_unavailable("s3"):
            return self._client.list_objects_v2(Bucket=prefix.bucket, Prefix=prefix.key, **options)


def _stored_object(bucket: str, listed: "ObjectTypeDef") -> StoredObject:
    return StoredObject(
        location=Location(bucket, listed["Key"]),
        size=listed["Size"],
        etag=listed["ETag"],
        last_modified=listed["LastModified"],
    )
