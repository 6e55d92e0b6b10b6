import boto3
import pytest

from tests.client.service import Clock
from tests.operations.endpoints.simulated_sagemaker import SimulatedSageMaker


@pytest.fixture(scope="session")
def session():
    """One session for all tests, because botocore loads SageMaker's model slowly."""
    return boto3.Session("key", "secret", region_name="us-east-1")


@pytest.fixture
def cloud(session):
    cloud = SimulatedSageMaker()
    with cloud.behind(session):
        yield cloud


@pytest.fixture
def sagemaker(cloud, session):
    return session.client("sagemaker")


@pytest.fixture
def clock():
    return Clock()
