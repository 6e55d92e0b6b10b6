import pytest

from tests.client.service import (
    BlockingAsyncClient,
    Clock,
    FakeService,
    async_client,
    blocking_client,
    no_storage,
)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def service(clock):
    return FakeService(clock)


@pytest.fixture(params=["blocking", "asyncio"])
def make_client(request, clock):
    """Creates a Client, or an AsyncClient that is called like one."""
    async_clients = []

    def make(service, storage=no_storage):
        if request.param == "blocking":
            return blocking_client(service, clock, storage)
        async_clients.append(BlockingAsyncClient(async_client(service, clock, storage)))
        return async_clients[-1]

    yield make
    for each in async_clients:
        each.close_loop()


@pytest.fixture
def client(make_client, service):
    return make_client(service)
