"""The endpoints that the local system creates."""

from inference_results.contract import StackOutput
from local.deployment import ENDPOINTS, create_endpoints
from tests.operations.endpoints.simulated_sagemaker import ERROR, SUCCESS


def test_create_endpoints_waits_until_they_are_in_service(
    cloud, sagemaker, session, clock, monkeypatch
):
    cloud.plane.updating_seconds = 1
    cloud.plane.clock = clock
    monkeypatch.setattr("botocore.waiter.time.sleep", clock.sleep)
    monkeypatch.setattr("local.deployment.boto3.client", session.client)
    create_endpoints({StackOutput.SUCCESS_TOPIC_ARN: SUCCESS, StackOutput.ERROR_TOPIC_ARN: ERROR})
    endpoints = [sagemaker.describe_endpoint(EndpointName=name) for name in ENDPOINTS]
    assert {each["EndpointStatus"] for each in endpoints} == {"InService"}
