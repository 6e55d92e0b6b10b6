"""A local system, deployed with `cdk deploy` once in each test process.

Test files share no records, so any process can run any file. A folder of tests imports the fixtures
in its conftest.
"""

import pytest

from local.environment import LocalFolder, environment_restored
from local.system import down, up


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    """A local system that stays up for the whole session."""
    folder = LocalFolder(tmp_path_factory.mktemp("local"))
    try:
        with environment_restored():
            up(folder, progress=lambda step: None)
        yield folder
    finally:
        down(folder)


@pytest.fixture(scope="module")
def folder(system):
    """The system's folder. This process is a client of the system while the tests of a file run."""
    with environment_restored():
        system.enter()
        yield system
