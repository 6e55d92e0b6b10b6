import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from moto.core.botocore_stubber import MockRawResponse
from urllib3 import HTTPResponse

from inference_results.adapters.aws import clients
from inference_results.adapters.aws.config import client_config
from inference_results.adapters.aws.errors import condition_failed
from inference_results.adapters.aws.fast_clients import FallbackCounter, fast_dynamodb, fast_s3
from inference_results.adapters.aws.signed_http import SignedHttp
from inference_results.adapters.s3 import S3Objects
from inference_results.domain.record.location import Location

BUCKET = "customer-outputs"
RANGE = {"Bucket": BUCKET, "Key": "key", "Range": "bytes=0-3"}
KEY = {"inference_id": {"S": "a"}, "endpoint_name": {"S": "speech"}}


@pytest.fixture(autouse=True)
def sleeps(monkeypatch):
    """Record sleeps instead of sleeping."""
    sleeps = []
    monkeypatch.setattr("time.sleep", sleeps.append)
    return sleeps


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def fast_client(aws):
    return fast_s3(1, FallbackCounter())


@pytest.fixture
def created_clients(monkeypatch):
    """The services that botocore created_clients a client for."""
    services = []
    create = clients.client

    def client(service, config):
        services.append(service)
        return create(service, config)

    monkeypatch.setattr(clients, "client", client)
    return services


def update(table_name, condition="attribute_not_exists(inference_id)", value=b"\x00\xff"):
    return {
        "TableName": table_name,
        "Key": KEY,
        "UpdateExpression": "SET #a = :a",
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#a": "held"},
        "ExpressionAttributeValues": {":a": {"B": value}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def http_response(status, content=b""):
    return HTTPResponse(content, status=status)


def fast_response(response):
    """Make fast calls return a response, or None. moto still serves botocore's clients."""
    return patch.object(SignedHttp, "send", return_value=response)


def test_a_fast_read_returns_what_botocore_returns(s3, fast_client, created_clients):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789", ContentType="text/csv")
    expected, found = s3.get_object(**RANGE), fast_client.get_object(**RANGE)
    assert found.pop("Body").read() == expected["Body"].read() == b"0123"
    assert found == {name: expected[name] for name in found}
    assert created_clients == []


TRANSIENT = {
    "no response": None,
    "server error": http_response(500),
    "throttling": http_response(503),
}


@pytest.mark.parametrize("response", TRANSIENT.values(), ids=TRANSIENT)
def test_a_failed_read_is_retried_once_after_a_backoff(
    s3, fast_client, created_clients, sleeps, response
):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    with fast_response(response):
        assert fast_client.get_object(**RANGE)["Body"].read() == b"0123"
    assert created_clients == ["s3"]
    (backoff,) = sleeps
    assert 0 <= backoff <= 1


@pytest.mark.parametrize("missing", ["ETag", "Content-Range"])
def test_a_range_without_a_required_header_falls_back(s3, fast_client, missing):
    """Otherwise, the start of an object could be taken for the whole."""
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    headers = {"ETag": "e", "Content-Range": "bytes 0-3/10"}
    del headers[missing]
    with fast_response(HTTPResponse(b"0123", headers, 206)):
        found = fast_client.get_object(**RANGE)
    assert found["ContentRange"] == "bytes 0-3/10"
    assert found["ETag"] != "e"


def test_a_response_needs_no_content_length(s3, fast_client):
    """Proxies can forward a response in chunks."""
    chunked = HTTPResponse(b"0123", {"ETag": "e", "Content-Range": "bytes 0-3/10"}, 206)
    with fast_response(chunked):
        assert fast_client.get_object(**RANGE)["ContentLength"] == 4


@pytest.mark.parametrize("status", [200, 206, 301, 403, 404])
def test_another_response_falls_back_without_a_backoff(s3, fast_client, sleeps, status):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    with fast_response(http_response(status)):
        assert fast_client.get_object(**RANGE)["Body"].read() == b"0123"
    assert sleeps == []


def test_an_empty_object_falls_back_once(s3, fast_client, created_clients):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"")
    assert S3Objects(fast_client).read_start(Location(BUCKET, "key"), 10).body == b""
    assert created_clients == ["s3"]


def test_a_fallback_is_counted_once(s3):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    fallbacks = FallbackCounter()
    fast_client = fast_s3(1, fallbacks)
    fast_client.get_object(**RANGE)
    assert fallbacks.take() == 0
    with fast_response(None):
        fast_client.get_object(**RANGE)
    assert (fallbacks.take(), fallbacks.take()) == (1, 0)


@pytest.mark.parametrize(
    "variable",
    ["AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT"],
)
def test_botocore_makes_all_calls_if_a_variable_needs_it(
    s3, created_clients, monkeypatch, variable
):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    value = "https://s3.amazonaws.com" if "URL_S3" in variable else "true"
    monkeypatch.setenv(variable, value)
    fast_s3(1, FallbackCounter()).get_object(**RANGE)
    assert created_clients == ["s3"]


@pytest.mark.parametrize(
    "key", ["a b+c%20d#e?f=g&h.out", "2024-03-29 03:48:03.out", "a//b", "./x", "ü/日本"]
)
def test_an_object_is_read_by_its_exact_key(s3, fast_client, created_clients, key):
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"here")
    assert fast_client.get_object(**RANGE | {"Key": key})["Body"].read() == b"here"
    assert created_clients == []


def test_errors_come_from_botocore(s3, fast_client):
    with pytest.raises(ClientError, match="NoSuchKey"):
        fast_client.get_object(**RANGE)


def test_a_call_has_at_most_two_attempts(s3, fast_client):
    """The time limit of a call allows for two."""
    calls = []

    def fail(request, **_):
        calls.append(request)
        return AWSResponse(request.url, 503, {}, MockRawResponse(b""))

    fast_client._fallback_client._client.meta.events.register_first("before-send", fail)
    with fast_response(http_response(503)), pytest.raises(ClientError, match="503"):
        fast_client.get_object(**RANGE)
    assert len(calls) == 1


def test_botocore_makes_all_calls_except_ranged_reads(s3, fast_client, created_clients):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    assert fast_client.get_object(Bucket=BUCKET, Key="key")["Body"].read() == b"0123456789"
    assert fast_client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    assert created_clients == ["s3"]


def test_an_update_writes_what_botocore_writes(table_name, created_clients):
    fast_dynamodb(1, FallbackCounter()).update_item(**update(table_name))
    assert created_clients == []
    found = boto3.client("dynamodb").get_item(TableName=table_name, Key=KEY)["Item"]
    assert found["held"] == {"B": b"\x00\xff"}


def test_a_failed_condition_returns_the_existing_item(table_name, created_clients, sleeps):
    client = fast_dynamodb(1, FallbackCounter())
    client.update_item(**update(table_name))
    with pytest.raises(ClientError) as raised:
        client.update_item(**update(table_name, value=b"other"))
    assert condition_failed(raised.value)
    assert raised.value.response["Item"] == {**KEY, "held": {"B": "AP8="}}
    assert (created_clients, sleeps) == ([], [])


@pytest.mark.parametrize("namespace", ["", "com.amazonaws.dynamodb.v20120810#"])
def test_a_failed_condition_is_recognized_with_and_without_a_namespace(
    table_name, sleeps, namespace
):
    document = json.dumps({"__type": f"{namespace}ConditionalCheckFailedException"}).encode()
    with fast_response(http_response(400, document)), pytest.raises(ClientError) as raised:
        fast_dynamodb(1, FallbackCounter()).update_item(**update(table_name))
    assert condition_failed(raised.value)
    assert sleeps == []


THROTTLED = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}'
FAILED_CONDITION = b'{"__type": "x#ConditionalCheckFailedException"}'


@pytest.mark.parametrize(
    "response",
    [
        *TRANSIENT.values(),
        http_response(400, THROTTLED),
        http_response(400, FAILED_CONDITION[:20]),
        http_response(400, b"[]"),
        http_response(400, b"{}"),
    ],
    ids=[*TRANSIENT, "throttled", "half a document", "a list", "no type"],
)
def test_a_failed_write_is_retried_once_after_a_backoff(table_name, sleeps, response):
    with fast_response(response):
        fast_dynamodb(1, FallbackCounter()).update_item(**update(table_name))
    assert "Item" in boto3.client("dynamodb").get_item(TableName=table_name, Key=KEY)
    assert len(sleeps) == 1


def test_a_lazy_client_is_created_on_its_first_use(aws, created_clients):
    sqs = clients.lazy_client("sqs", client_config(1))
    assert created_clients == []
    sqs.list_queues()
    assert created_clients == ["sqs"]


def test_concurrent_threads_share_one_client(s3, fast_client, created_clients):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    with fast_response(None), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: fast_client.get_object(**RANGE), range(8)))
    assert created_clients == ["s3"]


def test_record_result_starts_without_importing_botocore_session():
    """botocore.session is half of the cold start. Needs a new process: this one has imported it.

    Also runs without a name that urllib3 1.26 lacks: some Lambda runtimes have that version.
    """
    variables = {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "WORKERS": "10",
        "TABLE_NAME": "inferences",
        "SHARDS": "4",
        "OUTPUT_PREFIXES": '["s3://customer-outputs/async/"]',
        "INLINE_OUTPUT_BYTES": "1024",
        "UNPROCESSABLE_QUEUE_URL": "https://sqs/unprocessable",
        "RETENTION_DAYS": "90",
        "WATCHED_ENDPOINTS": "[]",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    code = "import urllib3; del urllib3.BaseHTTPResponse; "
    code += "import sys, functions.record_result as _; "
    code += "print('botocore.session' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True
    )
    assert (process.stdout, process.stderr) == ("False\n", "")
