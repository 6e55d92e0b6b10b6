import boto3
import pytest

from tests.client.pretend_aws import PretendAws
from tests.client.service import (
    Clock,
    FakeService,
    InLoop,
    asyncio_client,
    blocking_client,
    no_storage,
)


@pytest.fixture(scope="session")
def session():
    """One for all, for reading the model of SageMaker takes a while."""
    return boto3.Session("key", "secret", region_name="us-east-1")


@pytest.fixture
def cloud(session):
    cloud = PretendAws()
    with cloud.behind(session):
        yield cloud


@pytest.fixture
def sagemaker(cloud, session):
    return session.client("sagemaker")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def service(clock):
    return FakeService(clock)


@pytest.fixture(params=["blocking", "asyncio"])
def client_of(request, clock):
    """Makes a client of each kind, called in the same way."""
    loops = []

    def make(service, storage=no_storage):
        if request.param == "blocking":
            return blocking_client(service, clock, storage)
        loops.append(InLoop(asyncio_client(service, clock, storage)))
        return loops[-1]

    yield make
    for loop in loops:
        loop.close_loop()


@pytest.fixture
def client(client_of, service):
    return client_of(service)
