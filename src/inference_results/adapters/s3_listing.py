"""Objects in S3, as they are listed."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.domain.reconciliation.backfill import StoredObject
from inference_results.domain.reconciliation.retry import RetryUnavailable
from inference_results.domain.record.location import Location

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef


class S3Listing:
    """Lists a bucket of general purpose, whose keys S3 sorts by their UTF-8 bytes."""

    def __init__(self, client: "S3Client", patience: RetryUnavailable) -> None:
        self._client = client
        self._patience = patience

    def check(self, prefix: Location) -> None:
        """Raises what a listing would, for the price of one call."""
        self._patience(partial(self._page, prefix, {"MaxKeys": 1}))

    def pages(self, prefix: Location, start_after: str | None) -> Iterator[Sequence[StoredObject]]:
        """Up to a thousand objects a page, each page read when it is wanted. Raises Unavailable."""
        place: dict[str, Any] = {} if start_after is None else {"StartAfter": start_after}
        while True:
            page = self._patience(partial(self._page, prefix, place))
            yield [_stored(prefix.bucket, each) for each in page.get("Contents", ())]
            if not page["IsTruncated"]:
                return
            place = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, prefix: Location, more: dict[str, Any]) -> "ListObjectsV2OutputTypeDef":
        with translate_unavailable("s3"):
            return self._client.list_objects_v2(Bucket=prefix.bucket, Prefix=prefix.key, **more)


def _stored(bucket: str, listed: "ObjectTypeDef") -> StoredObject:
    return StoredObject(
        location=Location(bucket, listed["Key"]),
        size=listed["Size"],
        etag=listed["ETag"],
        last_modified=listed["LastModified"],
    )
