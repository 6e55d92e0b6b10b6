from datetime import UTC, datetime, timedelta
from itertools import chain

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from inference_results.adapters.s3_listing import S3Listing
from inference_results.domain.reconciliation.retry import MAX_ATTEMPTS, RetryUnavailable
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.location import Location

BUCKET = "customer-outputs"
PREFIX = Location(BUCKET, "async/")


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def client_without_retries(aws):
    """A client that leaves retries to RetryUnavailable."""
    return boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))


def listing(client, delays=None):
    return S3Listing(client, RetryUnavailable(sleep=[].append if delays is None else delays.append))


def put(s3, *keys, body=b"here"):
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def list_all(client, prefix=PREFIX, start_after=None):
    return list(chain.from_iterable(listing(client).pages(prefix, start_after)))


@pytest.mark.parametrize(
    "key",
    ["async/a b+c%20d#e?f=g&h.out", "async/%2F%", "async//b/", "async/ü/日本", "async/line\nbreak"],
)
def test_a_key_is_listed_unchanged(s3, key):
    put(s3, key)
    assert [each.location for each in list_all(s3)] == [Location(BUCKET, key)]


def test_an_object_is_listed_with_its_size_etag_and_time(s3):
    written = s3.put_object(Bucket=BUCKET, Key="async/a", Body=b"0123456789")
    (found,) = list_all(s3)
    assert (found.size, found.etag) == (10, written["ETag"])
    assert datetime.now(UTC) - found.last_modified < timedelta(minutes=5)


def test_a_listing_has_a_prefix_and_starts_after_a_key(s3):
    put(s3, "async/a", "async/b", "async/c", "async-2/d", "other")
    assert [each.location.key for each in list_all(s3, start_after="async/a")] == [
        "async/b",
        "async/c",
    ]
    assert len(list_all(s3, Location(BUCKET, ""))) == 5
    assert list_all(s3, Location(BUCKET, "none/")) == []


def page(*keys, token=None):
    last_modified = datetime(2026, 1, 1, tzinfo=UTC)
    contents = [
        {"Key": key, "Size": 1, "ETag": '"e"', "LastModified": last_modified} for key in keys
    ]
    response = {"IsTruncated": token is not None, "Contents": contents}
    return response | ({"NextContinuationToken": token} if token else {})


def test_pages_are_read_on_demand_also_after_an_empty_one(client_without_retries):
    request = {"Bucket": BUCKET, "Prefix": "async/"}
    with Stubber(client_without_retries) as stub:
        stub.add_response("list_objects_v2", page("async/a", token="1"), request)
        pages = listing(client_without_retries).pages(PREFIX, None)
        assert len(next(pages)) == 1
        stub.assert_no_pending_responses()
        stub.add_response("list_objects_v2", page(token="2"), request | {"ContinuationToken": "1"})
        stub.add_response("list_objects_v2", page("async/b"), request | {"ContinuationToken": "2"})
        assert [len(each) for each in pages] == [0, 1]


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("InternalError", 500)])
def test_a_failed_page_is_retried(client_without_retries, code, status):
    delays = []
    with Stubber(client_without_retries) as stub:
        stub.add_response("list_objects_v2", page("async/a", token="1"))
        for _ in range(MAX_ATTEMPTS - 1):
            stub.add_client_error("list_objects_v2", code, http_status_code=status)
        stub.add_response("list_objects_v2", page("async/b"))
        found = chain.from_iterable(listing(client_without_retries, delays).pages(PREFIX, None))
        assert [each.location.key for each in found] == ["async/a", "async/b"]
    assert len(delays) == MAX_ATTEMPTS - 1


def test_unavailable_is_raised_after_the_last_retry(client_without_retries):
    with Stubber(client_without_retries) as stub:
        for _ in range(MAX_ATTEMPTS):
            stub.add_client_error("list_objects_v2", "SlowDown", http_status_code=503)
        with pytest.raises(Unavailable):
            list(listing(client_without_retries).pages(PREFIX, None))


def test_a_permanent_error_is_raised_without_a_retry(s3):
    delays = []
    with pytest.raises(ClientError, match="NoSuchBucket"):
        list(listing(s3, delays).pages(Location("no-such-bucket", ""), None))
    assert delays == []
