import pytest

from tests.client.service import (
    Clock,
    FakeService,
    InLoop,
    asyncio_client,
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
