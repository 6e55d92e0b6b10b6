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
from inference_results.adapters.aws.calls import client_config, condition_failed
from inference_results.adapters.aws.fast_clients import FallbackCounter, fast_dynamodb, fast_s3
from inference_results.adapters.aws.signed_http import SignedHttp
from inference_results.adapters.s3 import S3Objects
from inference_results.domain.record.location import Location

BUCKET = "customer-outputs"
RANGE = {"Bucket": BUCKET, "Key": "key", "Range": "bytes=0-3"}
KEY = {"inference_id": {"S": "a"}, "endpoint_name": {"S": "speech"}}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """The pauses that were made, in place of waiting."""
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    return pauses


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def lean(aws):
    return fast_s3(1, FallbackCounter())


@pytest.fixture
def made(monkeypatch):
    """The names of the services that clients were made of."""
    names = []
    make = clients.client

    def noted(service, config):
        names.append(service)
        return make(service, config)

    monkeypatch.setattr(clients, "client", noted)
    return names


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


def answered(status, content=b""):
    return HTTPResponse(content, status=status)


def instead(outcome):
    """Answer calls of lean clients so: botocore's own clients are answered by moto."""
    return patch.object(SignedHttp, "send", return_value=outcome)


def test_an_object_is_what_botocore_says_it_is(s3, lean, made):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789", ContentType="text/csv")
    expected, found = s3.get_object(**RANGE), lean.get_object(**RANGE)
    assert found.pop("Body").read() == expected["Body"].read() == b"0123"
    assert found == {name: expected[name] for name in found}
    assert made == []


BROKEN = {
    "no answer": None,
    "a failure of AWS": answered(500),
    "too many requests": answered(503),
}


@pytest.mark.parametrize("outcome", BROKEN.values(), ids=BROKEN)
def test_a_read_that_fails_is_tried_once_more_after_a_pause(s3, lean, made, at_once, outcome):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    with instead(outcome):
        assert lean.get_object(**RANGE)["Body"].read() == b"0123"
    assert made == ["s3"]
    (pause,) = at_once
    assert 0 <= pause <= 1


@pytest.mark.parametrize("missing", ["ETag", "Content-Range"])
def test_a_range_that_does_not_say_of_what_is_asked_for_again(s3, lean, missing):
    """Or the beginning of an object would be taken for the whole."""
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    headers = {"ETag": "e", "Content-Range": "bytes 0-3/10"}
    del headers[missing]
    with instead(HTTPResponse(b"0123", headers, 206)):
        found = lean.get_object(**RANGE)
    assert found["ContentRange"] == "bytes 0-3/10"
    assert found["ETag"] != "e"


def test_an_answer_in_pieces_has_no_length_before_it(s3, lean):
    """So do proxies send it on."""
    pieces = HTTPResponse(b"0123", {"ETag": "e", "Content-Range": "bytes 0-3/10"}, 206)
    with instead(pieces):
        assert lean.get_object(**RANGE)["ContentLength"] == 4


@pytest.mark.parametrize("status", [200, 206, 301, 403, 404])
def test_what_was_answered_for_good_is_asked_of_botocore_at_once(s3, lean, at_once, status):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    with instead(answered(status)):
        assert lean.get_object(**RANGE)["Body"].read() == b"0123"
    assert at_once == []


def test_an_empty_object_is_asked_for_at_most_twice(s3, lean, made):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"")
    assert S3Objects(lean).read_start(Location(BUCKET, "key"), 10).body == b""
    assert made == ["s3"]


def test_second_attempts_are_counted_once(s3):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    second_attempts = FallbackCounter()
    lean = fast_s3(1, second_attempts)
    lean.get_object(**RANGE)
    assert second_attempts.taken() == 0
    with instead(None):
        lean.get_object(**RANGE)
    assert (second_attempts.taken(), second_attempts.taken()) == (1, 0)


@pytest.mark.parametrize(
    "variable",
    ["AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT"],
)
def test_what_only_botocore_heeds_is_left_to_it(s3, made, monkeypatch, variable):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    value = "https://s3.amazonaws.com" if "URL_S3" in variable else "true"
    monkeypatch.setenv(variable, value)
    fast_s3(1, FallbackCounter()).get_object(**RANGE)
    assert made == ["s3"]


@pytest.mark.parametrize(
    "key", ["a b+c%20d#e?f=g&h.out", "2024-03-29 03:48:03.out", "a//b", "./x", "ü/日本"]
)
def test_an_object_is_read_by_its_exact_key(s3, lean, made, key):
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"here")
    assert lean.get_object(**RANGE | {"Key": key})["Body"].read() == b"here"
    assert made == []


def test_errors_are_botocores(s3, lean):
    with pytest.raises(ClientError, match="NoSuchKey"):
        lean.get_object(**RANGE)


def test_there_is_no_third_attempt(s3, lean):
    """The caller's time is reckoned with two."""
    calls = []

    def failing(request, **_):
        calls.append(request)
        return AWSResponse(request.url, 503, {}, MockRawResponse(b""))

    lean._once._client.meta.events.register_first("before-send", failing)
    with instead(answered(503)), pytest.raises(ClientError, match="503"):
        lean.get_object(**RANGE)
    assert len(calls) == 1


def test_all_but_a_ranged_read_is_botocores(s3, lean, made):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    assert lean.get_object(Bucket=BUCKET, Key="key")["Body"].read() == b"0123456789"
    assert lean.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    assert made == ["s3"]


def test_an_update_writes_what_botocore_writes(table_name, made):
    fast_dynamodb(1, FallbackCounter()).update_item(**update(table_name))
    assert made == []
    found = boto3.client("dynamodb").get_item(TableName=table_name, Key=KEY)["Item"]
    assert found["held"] == {"B": b"\x00\xff"}


def test_a_condition_that_does_not_hold_says_what_is_there(table_name, made, at_once):
    client = fast_dynamodb(1, FallbackCounter())
    client.update_item(**update(table_name))
    with pytest.raises(ClientError) as raised:
        client.update_item(**update(table_name, value=b"other"))
    assert condition_failed(raised.value)
    assert raised.value.response["Item"] == {**KEY, "held": {"B": "AP8="}}
    assert (made, at_once) == ([], [])


@pytest.mark.parametrize("namespace", ["", "com.amazonaws.dynamodb.v20120810#"])
def test_a_condition_that_does_not_hold_is_known_by_its_name(table_name, at_once, namespace):
    """With the namespace that AWS puts before it, and without."""
    told = json.dumps({"__type": f"{namespace}ConditionalCheckFailedException"}).encode()
    with instead(answered(400, told)), pytest.raises(ClientError) as raised:
        fast_dynamodb(1, FallbackCounter()).update_item(**update(table_name))
    assert condition_failed(raised.value)
    assert at_once == []


THROTTLED = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}'
FAILED_CONDITION = b'{"__type": "x#ConditionalCheckFailedException"}'


@pytest.mark.parametrize(
    "outcome",
    [
        *BROKEN.values(),
        answered(400, THROTTLED),
        answered(400, FAILED_CONDITION[:20]),
        answered(400, b"[]"),
        answered(400, b"{}"),
    ],
    ids=[*BROKEN, "throttling", "half of an answer", "a list", "no type"],
)
def test_a_write_that_fails_is_tried_once_more_after_a_pause(table_name, at_once, outcome):
    with instead(outcome):
        fast_dynamodb(1, FallbackCounter()).update_item(**update(table_name))
    assert "Item" in boto3.client("dynamodb").get_item(TableName=table_name, Key=KEY)
    assert len(at_once) == 1


def test_a_client_that_is_never_asked_is_never_made(aws, made):
    sqs = clients.lazy_client("sqs", client_config(1))
    assert made == []
    sqs.list_queues()
    assert made == ["sqs"]


def test_threads_that_ask_at_once_share_one_client(s3, lean, made):
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    with instead(None), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: lean.get_object(**RANGE), range(8)))
    assert made == ["s3"]


def test_a_function_that_records_starts_without_what_makes_clients():
    """It takes half of the cold start. Anew, since this process has it.

    With the names that urllib3 had before its version 2: a runtime of Lambda may bring that.
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
    ran = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True
    )
    assert (ran.stdout, ran.stderr) == ("False\n", "")
