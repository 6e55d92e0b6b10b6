import pytest

from tests.support.cloudformation import resources
from tests.support.synthesis import synthesised


@pytest.fixture(scope="module")
def stack():
    return synthesised("endpoint")["AsyncEndpoint"]


def only(stack, kind):
    (found,) = resources(stack, kind).items()
    return found


def test_the_endpoint_config_notifies_both_topics_and_stores_failures(stack):
    _, config = only(stack, "AWS::SageMaker::EndpointConfig")
    output = config["Properties"]["AsyncInferenceConfig"]["OutputConfig"]
    assert output["S3OutputPath"] == "s3://customer-outputs/async/speech/"
    assert output["S3FailurePath"] == "s3://customer-outputs/failures/speech/"
    notification = output["NotificationConfig"]
    assert "CompletedTopic" in str(notification["SuccessTopic"])
    assert "FailedTopic" in str(notification["ErrorTopic"])
    assert notification["IncludeInferenceResponseIn"] == [
        "SUCCESS_NOTIFICATION_TOPIC",
        "ERROR_NOTIFICATION_TOPIC",
    ]


def test_the_endpoint_config_has_no_fixed_name(stack):
    config_id, config = only(stack, "AWS::SageMaker::EndpointConfig")
    _, endpoint = only(stack, "AWS::SageMaker::Endpoint")
    assert "EndpointConfigName" not in config["Properties"]
    assert endpoint["Properties"] == {
        "EndpointConfigName": {"Fn::GetAtt": [config_id, "EndpointConfigName"]}
    }


def test_the_endpoint_depends_on_the_permission_to_publish(stack):
    policy_id, policy = only(stack, "AWS::IAM::Policy")
    _, endpoint = only(stack, "AWS::SageMaker::Endpoint")
    assert endpoint["DependsOn"] == [policy_id]
    assert policy["Properties"]["Roles"] == ["model-execution"]
    actions = [each["Action"] for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    assert actions == ["sns:Publish", "s3:PutObject"]


def test_the_execution_role_can_use_the_keys_of_the_outputs():
    key = "arn:aws:kms:eu-west-1:123456789012:key/0f3a-11"
    stack = synthesised("endpoint", output_key_arns=key)["AsyncEndpoint"]
    _, policy = only(stack, "AWS::IAM::Policy")
    assert {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Effect": "Allow",
        "Resource": key,
    } in policy["Properties"]["PolicyDocument"]["Statement"]


def test_an_endpoint_is_created_only_if_the_setting_says_so():
    stack = synthesised("endpoint config")["AsyncEndpoint"]
    assert resources(stack, "AWS::SageMaker::EndpointConfig")
    assert not resources(stack, "AWS::SageMaker::Endpoint")


def test_the_topic_policies_allow_the_execution_role_to_publish():
    main = synthesised("endpoint")["InferenceResults"]
    for name, policy in resources(main, "AWS::SNS::TopicPolicy").items():
        assert "Alarms" in name or "role/model-execution" in str(policy)
