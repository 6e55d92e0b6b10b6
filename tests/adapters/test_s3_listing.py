from datetime import UTC, datetime, timedelta
from itertools import chain

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from inference_results.adapters.s3_listing import S3Listing
from inference_results.domain.reconciliation.retry import ATTEMPTS, RetryUnavailable
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
def impatient(aws):
    """A client that leaves trying again to others."""
    return boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))


def listing(client, pauses=None):
    return S3Listing(client, RetryUnavailable(sleep=[].append if pauses is None else pauses.append))


def put(s3, *keys, body=b"here"):
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def listed(client, prefix=PREFIX, start_after=None):
    return list(chain.from_iterable(listing(client).pages(prefix, start_after)))


@pytest.mark.parametrize(
    "key",
    ["async/a b+c%20d#e?f=g&h.out", "async/%2F%", "async//b/", "async/ü/日本", "async/line\nbreak"],
)
def test_a_key_is_listed_as_it_stands(s3, key):
    put(s3, key)
    assert [each.location for each in listed(s3)] == [Location(BUCKET, key)]


def test_an_object_is_told_with_what_pins_it(s3):
    written = s3.put_object(Bucket=BUCKET, Key="async/a", Body=b"0123456789")
    (found,) = listed(s3)
    assert (found.size, found.etag) == (10, written["ETag"])
    assert datetime.now(UTC) - found.last_modified < timedelta(minutes=5)


def test_only_what_is_below_the_prefix_and_after_the_key_is_listed(s3):
    put(s3, "async/a", "async/b", "async/c", "async-2/d", "else")
    assert [each.location.key for each in listed(s3, start_after="async/a")] == [
        "async/b",
        "async/c",
    ]
    assert len(listed(s3, Location(BUCKET, ""))) == 5
    assert listed(s3, Location(BUCKET, "none/")) == []


def page(*keys, token=None):
    written = datetime(2026, 1, 1, tzinfo=UTC)
    contents = [{"Key": key, "Size": 1, "ETag": '"e"', "LastModified": written} for key in keys]
    answer = {"IsTruncated": token is not None, "Contents": contents}
    return answer | ({"NextContinuationToken": token} if token else {})


def test_a_page_is_asked_for_when_it_is_wanted_even_if_one_before_it_was_empty(impatient):
    asked = {"Bucket": BUCKET, "Prefix": "async/"}
    with Stubber(impatient) as stub:
        stub.add_response("list_objects_v2", page("async/a", token="1"), asked)
        pages = listing(impatient).pages(PREFIX, None)
        assert len(next(pages)) == 1
        stub.assert_no_pending_responses()
        stub.add_response("list_objects_v2", page(token="2"), asked | {"ContinuationToken": "1"})
        stub.add_response("list_objects_v2", page("async/b"), asked | {"ContinuationToken": "2"})
        assert [len(each) for each in pages] == [0, 1]


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("InternalError", 500)])
def test_a_page_that_s3_does_not_answer_is_asked_for_again(impatient, code, status):
    pauses = []
    with Stubber(impatient) as stub:
        stub.add_response("list_objects_v2", page("async/a", token="1"))
        for _ in range(ATTEMPTS - 1):
            stub.add_client_error("list_objects_v2", code, http_status_code=status)
        stub.add_response("list_objects_v2", page("async/b"))
        found = chain.from_iterable(listing(impatient, pauses).pages(PREFIX, None))
        assert [each.location.key for each in found] == ["async/a", "async/b"]
    assert len(pauses) == ATTEMPTS - 1


def test_s3_that_stays_silent_is_unavailable(impatient):
    with Stubber(impatient) as stub:
        for _ in range(ATTEMPTS):
            stub.add_client_error("list_objects_v2", "SlowDown", http_status_code=503)
        with pytest.raises(Unavailable):
            list(listing(impatient).pages(PREFIX, None))


def test_a_refusal_is_raised_at_once(s3):
    pauses = []
    with pytest.raises(ClientError, match="NoSuchBucket"):
        list(listing(s3, pauses).pages(Location("no-such-bucket", ""), None))
    assert pauses == []
