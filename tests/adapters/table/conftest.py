from datetime import timedelta

import boto3
import pytest

from inference_results.adapters.table.registrations import RegistrationStore
from inference_results.adapters.table.results import ResultStore
from inference_results.domain.submissions.register import RegisterInvocation
from tests.adapters.table.one_inference import AT_NOON, NOW
from tests.support.fakes import World
from tests.support.samples import PREFIX


@pytest.fixture
def register(table_name):
    """Return a function that registers an invocation."""
    table = RegistrationStore(boto3.client("dynamodb"), table_name, shards=4)
    use_case = RegisterInvocation(
        registrations=table, completes_tasks=True, retention=timedelta(days=90), now=lambda: NOW
    )

    def register(submitted_at=AT_NOON, key="one.out", inference_id="inference-1", **members):
        return use_case(
            inference_id,
            {
                "endpoint": "here",
                "submitted_at": submitted_at,
                "output_location": PREFIX + key,
                **members,
            },
        )

    return register


@pytest.fixture
def world(table_name):
    """Return RecordResult on the table, with two outputs."""
    world = World(records=ResultStore(boto3.client("dynamodb"), table_name, shards=4))
    world.objects.stored = {PREFIX + f"{name}.out": b"output" for name in ("one", "two")}
    return world
