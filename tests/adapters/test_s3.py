import io
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from urllib3.exceptions import ProtocolError

from inference_results.adapters.aws.config import PRESIGN_CONFIG
from inference_results.adapters.s3 import S3Objects
from inference_results.domain.record.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.record.location import Location

BUCKET = "customer-outputs"


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


def put(s3, body, key="key", **options):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body, **options)


@pytest.mark.parametrize(
    "key", ["a b+c%20d#e?f=g&h.out", "2024-03-29 03:48:03.out", "a//b", "./x", "ü/日本"]
)
def test_an_object_is_read_by_its_exact_key(s3, key):
    put(s3, b"here", key)
    assert S3Objects(s3).read_start(Location(BUCKET, key), 10).body == b"here"


def test_the_start_names_the_version_that_was_read(s3):
    written = put(s3, b"0123456789", ContentType="text/csv")
    start = S3Objects(s3).read_start(Location(BUCKET, "key"), 4)
    assert start.body == b"0123"
    assert start.size == 10
    assert start.etag == written["ETag"]
    assert start.version_id == written["VersionId"]
    assert start.content_type == "text/csv"


@pytest.mark.parametrize("limit", [0, 1, 1024])
def test_an_empty_object_can_be_read(s3, limit):
    written = put(s3, b"")
    start = S3Objects(s3).read_start(Location(BUCKET, "key"), limit)
    assert (start.body, start.size, start.etag) == (b"", 0, written["ETag"])


def test_a_limit_of_zero_still_returns_the_size(s3):
    put(s3, b"0123456789")
    start = S3Objects(s3).read_start(Location(BUCKET, "key"), 0)
    assert (start.body, start.size) == (b"", 10)


def test_only_the_range_of_a_large_object_is_requested(aws):
    client = boto3.client("s3")
    gigabyte = 1024**3
    with Stubber(client) as stub:
        stub.add_response(
            "get_object",
            {
                "Body": StreamingBody(io.BytesIO(b"x" * 1024), 1024),
                "ContentLength": 1024,
                "ContentRange": f"bytes 0-1023/{gigabyte}",
                "ETag": '"e"',
            },
            {"Bucket": BUCKET, "Key": "key", "Range": "bytes=0-1023"},
        )
        start = S3Objects(client).read_start(Location(BUCKET, "key"), 1024)
    assert (len(start.body), start.size) == (1024, gigabyte)


@pytest.mark.parametrize(
    "location", [Location(BUCKET, "missing"), Location("no-such-bucket", "key")]
)
def test_a_missing_object_or_bucket_is_missing(s3, location):
    with pytest.raises(ObjectMissing):
        S3Objects(s3).read_start(location, 10)


@pytest.mark.parametrize(
    ("code", "http_status", "expected"),
    [
        ("AccessDenied", 403, ObjectDenied),
        ("InvalidObjectState", 403, ObjectDenied),
        ("PermanentRedirect", 301, ObjectDenied),
        ("KMS.DisabledException", 400, ObjectDenied),
        ("NoSuchKey", 404, ObjectMissing),
        ("404", 404, ObjectMissing),  # botocore's code if the body of the error was cut short
        ("SlowDown", 503, Unavailable),
        ("InternalError", 500, Unavailable),
        ("RequestTimeout", 400, Unavailable),
    ],
)
def test_an_s3_error_raises_the_matching_domain_error(aws, code, http_status, expected):
    client = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
    with Stubber(client) as stub:
        stub.add_client_error("get_object", code, http_status_code=http_status)
        with pytest.raises(expected, match=code) as raised:
            S3Objects(client).read_start(Location(BUCKET, "key"), 10)
    assert type(raised.value) is expected


@pytest.mark.parametrize(
    "error", [ProtocolError("broken"), EndpointConnectionError(endpoint_url="s3")]
)
def test_a_broken_connection_is_unavailable(aws, error):
    client = boto3.client("s3")
    with patch.object(client, "get_object", side_effect=error), pytest.raises(Unavailable):
        S3Objects(client).read_start(Location(BUCKET, "key"), 10)


def test_a_truncated_body_in_a_valid_response_is_unavailable(aws):
    """A proxy can truncate a body and set a Content-Length that matches."""
    client = boto3.client("s3")
    with Stubber(client) as stub:
        stub.add_response(
            "get_object",
            {
                "Body": StreamingBody(io.BytesIO(b"01234"), 5),
                "ContentLength": 5,
                "ContentRange": "bytes 0-9/10",
                "ETag": '"e"',
            },
        )
        with pytest.raises(Unavailable, match="IncompleteBody"):
            S3Objects(client).read_start(Location(BUCKET, "key"), 100)


class TimingOutStream(io.BytesIO):
    """A stream whose read times out."""

    def read(self, *_):
        raise ReadTimeoutError(endpoint_url="https://s3")


@pytest.mark.parametrize(
    "stream",
    [io.BytesIO(b""), io.BytesIO(b"01234"), TimingOutStream()],
    ids=["empty", "half", "timeout"],
)
def test_a_response_that_ends_early_is_unavailable(aws, stream):
    client = boto3.client("s3")
    with Stubber(client) as stub:
        stub.add_response(
            "get_object",
            {
                "Body": StreamingBody(stream, 10),
                "ContentLength": 10,
                "ContentRange": "bytes 0-9/10",
                "ETag": '"e"',
            },
        )
        with pytest.raises(Unavailable):
            S3Objects(client).read_start(Location(BUCKET, "key"), 100)


def test_an_older_version_can_be_looked_up(s3):
    written = put(s3, b"first")
    put(s3, b"another")
    found = S3Objects(s3).look_up(Location(BUCKET, "key"), written["VersionId"])
    assert (found.etag, found.size, found.version_id) == (
        written["ETag"],
        5,
        written["VersionId"],
    )
    assert datetime.now(UTC) - found.last_modified < timedelta(minutes=5)


def test_without_a_version_the_current_one_is_looked_up(s3):
    put(s3, b"first")
    written = put(s3, b"another")
    found = S3Objects(s3).look_up(Location(BUCKET, "key"), None)
    assert (found.size, found.version_id) == (7, written["VersionId"])


@pytest.mark.parametrize("region", ["eu-west-1", "eu-south-1", "me-central-1"])
def test_a_link_uses_the_regional_host(aws, region):
    """Newer regions do not serve the global host."""
    client = boto3.client("s3", region_name=region, config=PRESIGN_CONFIG)
    link = urlsplit(S3Objects(client).link(Location("bucket", "a b#1.out"), "v1", 300))
    assert (link.hostname, link.path) == (f"bucket.s3.{region}.amazonaws.com", "/a%20b%231.out")
    query = parse_qs(link.query)
    assert (query["versionId"], query["X-Amz-Expires"]) == (["v1"], ["300"])


def test_a_deleted_version_is_missing(s3):
    written = put(s3, b"first")
    s3.delete_object(Bucket=BUCKET, Key="key", VersionId=written["VersionId"])
    with pytest.raises(ObjectMissing, match="NoSuchVersion"):
        S3Objects(s3).look_up(Location(BUCKET, "key"), written["VersionId"])
    with pytest.raises(ObjectMissing, match="NoSuchKey"):
        S3Objects(s3).look_up(Location(BUCKET, "key"), None)


def test_an_empty_object_can_be_looked_up(s3):
    put(s3, b"")
    assert S3Objects(s3).look_up(Location(BUCKET, "key"), None).size == 0
