"""The size of the largest item. DynamoDB's limit is 400 KB."""

import base64
from datetime import timedelta

import boto3
import pytest
from pydantic import ValidationError

from inference_results.adapters.table.registrations import RegistrationStore
from inference_results.adapters.table.results import ResultStore
from inference_results.domain.record.failure import MAX_REASON_CHARACTERS
from inference_results.domain.record.parameters import MAX_TASK_TOKENS
from inference_results.domain.results.ports import Disposition
from inference_results.domain.results.response import FAILURE_PREVIEW_BYTES
from inference_results.domain.submissions.register import RegisterInvocation
from infra.settings import Settings
from tests.support.fakes import FAILURES, NOW, World
from tests.support.samples import PREFIX, body, completed

MAX_ITEM_BYTES = 400 * 1024
LARGEST_INLINE = 65_536
WIDE_CHARACTER = "\N{GRINNING FACE}"
"""A character of four bytes. Our limits count characters."""
KEY = "k" * (1024 - len("failures/"))
"""The longest key in S3."""
ID, ENDPOINT = "i" * 64, "e" * 256


@pytest.fixture
def client(aws):
    return boto3.client("dynamodb")


@pytest.fixture
def world(client, table_name):
    return World(
        inline_output_bytes=LARGEST_INLINE, records=ResultStore(client, table_name, shards=4)
    )


@pytest.fixture
def register(client, table_name):
    return RegisterInvocation(
        registrations=RegistrationStore(client, table_name, shards=4),
        completes_tasks=True,
        retention=timedelta(days=90),
        now=lambda: NOW,
    )


@pytest.fixture
def item(client, table_name):
    """Read the only item."""

    def read():
        (found,) = client.scan(TableName=table_name)["Items"]
        return found

    return read


def item_bytes(item):
    """The size as DynamoDB counts it, or slightly more."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value):
    match value:
        case {"S": text}:
            return len(text.encode())
        case {"N": text}:
            return len(text) + 2
        case {"B": content}:
            return len(content)
        case {"SS": texts}:
            return 3 + sum(1 + len(text.encode()) for text in texts)
        case {"L": members}:
            return 3 + sum(1 + value_bytes(each) for each in members)
        case {"M": members}:
            return 3 + len(members) + item_bytes(members)
        case {"BOOL": _}:
            return 1
    raise AssertionError(value)


def largest_result():
    """A notification with an unknown status: only those can have an output and a failure."""
    response = base64.b64encode(b"\xff" * LARGEST_INLINE).decode()
    wide = WIDE_CHARACTER * 2048
    return completed(
        ID,
        KEY,
        invocationStatus=WIDE_CHARACTER * 64,
        requestParameters={
            "endpointName": ENDPOINT,
            "inputLocation": wide,
            "contentType": wide,
            "customAttributes": wide,
        },
        failureReason=wide * 2,
        failureLocation=FAILURES + KEY,
        responseBody={"content": response, "encoding": "base64"},
        receivedTime="invalid",
    )


def test_the_largest_record_is_far_below_the_limit(world, register, item):
    """281 KB, with the longest value of every field of a notification and a submission."""
    with pytest.raises(ValidationError, match="inline_output_bytes"):
        Settings(output_prefixes=[PREFIX], inline_output_bytes=LARGEST_INLINE + 1)
    world.objects.stored = {FAILURES + KEY: b"\xff" * FAILURE_PREVIEW_BYTES}
    notification = largest_result()
    notification["responseParameters"]["contentType"] = WIDE_CHARACTER * 2048
    assert world.process(body(notification)) is Disposition.RECORDED
    for number in range(MAX_TASK_TOKENS):
        register(
            ID,
            {
                "endpoint": ENDPOINT,
                "submitted_at": notification["eventTime"],
                "output_location": PREFIX + KEY,
                "failure_location": FAILURES + KEY,
                "input_location": PREFIX + KEY,
                "content_type": "c" * 1024,
                "custom_attributes": "a" * 1024,
                "metadata": {"note": "m" * (4096 - len('{"note": ""}'))},
                "task_token": chr(ord("a") + number) + WIDE_CHARACTER * 2047,
            },
        )
    written = item()
    assert len(written["output"]["M"]["inline"]["B"]) == LARGEST_INLINE
    assert len(written["failure"]["M"]["reason"]["S"]) == MAX_REASON_CHARACTERS
    assert len(written["task_tokens"]["SS"]) == MAX_TASK_TOKENS
    assert 280 * 1024 < item_bytes(written) < 282 * 1024 < MAX_ITEM_BYTES
