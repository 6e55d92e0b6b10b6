"""The endpoints of the local system."""

from inference_results.contract import StackOutput
from local.deployment import ENDPOINTS, create_endpoints
from tests.operations.endpoints.simulated_sagemaker import ERROR, SUCCESS


def test_an_endpoint_can_be_invoked_as_soon_as_it_is_said_to_be_created(
    cloud, sagemaker, session, monkeypatch
):
    moment = [0.0]
    cloud.plane.updating_seconds = 1
    cloud.plane.clock = lambda: moment[0]
    monkeypatch.setattr(
        "botocore.waiter.time.sleep", lambda seconds: moment.append(moment.pop() + seconds)
    )
    monkeypatch.setattr("local.deployment.boto3.client", session.client)
    create_endpoints({StackOutput.SUCCESS_TOPIC_ARN: SUCCESS, StackOutput.ERROR_TOPIC_ARN: ERROR})
    found = [sagemaker.describe_endpoint(EndpointName=name) for name in ENDPOINTS]
    assert {each["EndpointStatus"] for each in found} == {"InService"}
