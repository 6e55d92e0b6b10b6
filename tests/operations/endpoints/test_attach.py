"""Attach and detach endpoints of the simulated SageMaker."""

import json
import re
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from inference_results.client.errors import (
    InvalidRequest,
    NotAuthorized,
    ServiceUnavailable,
    UnexpectedResponse,
)
from inference_results.operations.endpoints.attach import (
    ATTACHED_FROM_TAG,
    Attachment,
    EndpointAttacher,
)
from inference_results.operations.endpoints.configs import (
    EndpointConfigs,
    copy_name,
    diff_configs,
)
from inference_results.operations.endpoints.permissions import PermissionSimulator
from inference_results.operations.endpoints.updates import Endpoint, Endpoints
from inference_results.operations.errors import (
    EndpointNotAttachable,
    EndpointNotFound,
    PermissionsMissing,
    UpdateFailed,
    UpdateTimeout,
)
from inference_results.operations.stack import Stack
from tests.operations.endpoints.simulated_sagemaker import (
    ERROR,
    ROLE,
    SERVICE,
    SUCCESS,
    ValueGenerator,
    paths,
    shape_paths,
)

ATTACHMENT = Attachment(success_topic=SUCCESS, error_topic=ERROR)
OTHER_TOPIC = "arn:aws:sns:us-east-1:123456789012:of-another-service"
CREATE = SERVICE.operation_model("CreateEndpointConfig").input_shape
DESCRIBE = SERVICE.operation_model("DescribeEndpointConfig").output_shape


@pytest.fixture
def attacher(cloud, session, sagemaker, clock):
    cloud.plane.clock = clock
    return EndpointAttacher(
        endpoints=Endpoints(sagemaker=sagemaker, clock=clock, sleep=clock.sleep),
        configs=EndpointConfigs(sagemaker),
        permissions=PermissionSimulator(sagemaker, session.client("iam")),
    )


@pytest.fixture
def endpoint(cloud, sagemaker):
    """Create the endpoint speech with the config speech-1, and forget the requests so far."""

    def create(*, output=None, tags=(), models=("speech",), **fields):
        for model in models:
            sagemaker.create_model(ModelName=model, ExecutionRoleArn=f"{ROLE}-{model}")
        config = {
            "ProductionVariants": [{"VariantName": "all", "ModelName": models[0]}],
            "AsyncInferenceConfig": {
                "OutputConfig": {
                    "S3OutputPath": "s3://bucket/out/",
                    "S3FailurePath": "s3://bucket/failures/",
                    **(output or {}),
                }
            },
            "Tags": [{"Key": key, "Value": value} for key, value in tags],
            **fields,
        }
        sagemaker.create_endpoint_config(EndpointConfigName="speech-1", **config)
        sagemaker.create_endpoint(EndpointName="speech", EndpointConfigName="speech-1")
        sagemaker.describe_endpoint(EndpointName="speech")
        cloud.requests.clear()
        cloud.published.clear()

    return create


def config_of(sagemaker, endpoint_name="speech"):
    name = sagemaker.describe_endpoint(EndpointName=endpoint_name)["EndpointConfigName"]
    return sagemaker.describe_endpoint_config(EndpointConfigName=name)


def notification(config):
    return config["AsyncInferenceConfig"]["OutputConfig"].get("NotificationConfig")


def attach(attacher, attachment=ATTACHMENT, timeout=60):
    plan = attacher.plan_attach("speech", attachment)
    attacher.apply(plan, timeout)
    return plan


def detach(attacher):
    attacher.apply(attacher.plan_detach("speech"), 60)


# The copy


@pytest.fixture
def full_config(endpoint):
    """An endpoint whose config has every member that botocore knows. Returns the members."""
    config = ValueGenerator().value(CREATE)
    models = []
    for variants in (config["ProductionVariants"], config["ShadowProductionVariants"]):
        for variant in variants:
            pools = [each["ModelNameOverride"] for each in variant["InstancePools"]]
            models += [variant["ModelName"], *pools]
    assert paths(config) == shape_paths(CREATE)
    tags = [(each["Key"], each["Value"]) for each in config.pop("Tags")]
    del config["EndpointConfigName"]
    endpoint(models=models, tags=tags, **config)
    return {**config, "Tags": [{"Key": key, "Value": value} for key, value in tags]}


def test_the_copy_has_every_member_that_botocore_knows(cloud, attacher, full_config):
    attach(attacher)
    created = cloud.request("CreateEndpointConfig")
    assert paths(created) == shape_paths(CREATE)
    expected = json.loads(json.dumps(full_config))
    topics = expected["AsyncInferenceConfig"]["OutputConfig"]["NotificationConfig"]
    topics |= {"SuccessTopic": SUCCESS, "ErrorTopic": ERROR}
    expected["Tags"].append({"Key": ATTACHED_FROM_TAG, "Value": "speech-1"})
    created["Tags"].sort(key=lambda tag: [tag["Key"] == ATTACHED_FROM_TAG, tag["Key"]])
    assert {**expected, "EndpointConfigName": created["EndpointConfigName"]} == created


def test_every_member_that_can_be_created_can_be_described():
    """Otherwise it could not be copied."""
    described = shape_paths(DESCRIBE)
    own = shape_paths(CREATE.members["Tags"], ".Tags")
    assert shape_paths(CREATE) - described == own


@pytest.mark.usefixtures("full_config")
def test_detach_restores_the_original_config(sagemaker, attacher):
    before = config_of(sagemaker)
    attach(attacher)
    assert notification(config_of(sagemaker))["SuccessTopic"] == SUCCESS
    detach(attacher)
    after = config_of(sagemaker)
    for each in (before, after):
        del each["ResponseMetadata"]
    assert after == before


@pytest.mark.parametrize(
    ("new_members", "message"),
    [
        ({"NewConfig": {"Level": 1}}, "NewConfig"),
        ({"VpcConfig": {"Subnets": [], "SecurityGroupIds": [], "NewPart": 1}}, "VpcConfig.NewPart"),
        (
            {"ProductionVariants": [{"VariantName": "all", "NewPart": 1}] * 2},
            "has ProductionVariants.NewPart,",
        ),
    ],
)
def test_a_config_with_members_that_botocore_does_not_know_cannot_be_attached(
    cloud, endpoint, attacher, new_members, message
):
    endpoint()
    cloud.new_members = new_members
    with pytest.raises(EndpointNotAttachable, match=message):
        attacher.plan_attach("speech", ATTACHMENT)


def test_null_in_a_response_is_not_a_member(cloud, endpoint, attacher):
    endpoint()
    cloud.new_members = {"VpcConfig": None}
    assert "VpcConfig" not in attacher.plan_attach("speech", ATTACHMENT).target.fields


def test_the_output_config_is_kept_unless_the_attachment_replaces_it(cloud, endpoint, attacher):
    output = {
        "KmsKeyId": "key",
        "NotificationConfig": {"IncludeInferenceResponseIn": ["ERROR_NOTIFICATION_TOPIC"]},
    }
    endpoint(output=output)
    attach(attacher)
    output = cloud.request("CreateEndpointConfig")["AsyncInferenceConfig"]["OutputConfig"]
    assert output == {
        "S3OutputPath": "s3://bucket/out/",
        "S3FailurePath": "s3://bucket/failures/",
        "KmsKeyId": "key",
        "NotificationConfig": {
            "SuccessTopic": SUCCESS,
            "ErrorTopic": ERROR,
            "IncludeInferenceResponseIn": ["ERROR_NOTIFICATION_TOPIC"],
        },
    }


def test_the_attachment_replaces_values_of_the_config(cloud, endpoint, attacher):
    endpoint(output={"NotificationConfig": {"SuccessTopic": OTHER_TOPIC}})
    attachment = Attachment(
        success_topic=SUCCESS,
        error_topic=ERROR,
        failure_path="s3://bucket/other/",
        include_response_in=("SUCCESS_NOTIFICATION_TOPIC",),
    )
    plan = attach(attacher, attachment)
    inner = "AsyncInferenceConfig.OutputConfig."
    assert {(each.path, each.before, each.after) for each in plan.changes} == {
        (f"{inner}S3FailurePath", "s3://bucket/failures/", "s3://bucket/other/"),
        (f"{inner}NotificationConfig.SuccessTopic", OTHER_TOPIC, SUCCESS),
        (f"{inner}NotificationConfig.ErrorTopic", None, ERROR),
        (
            f"{inner}NotificationConfig.IncludeInferenceResponseIn",
            None,
            '["SUCCESS_NOTIFICATION_TOPIC"]',
        ),
    }
    assert cloud.published == [SUCCESS, ERROR]


def test_reserved_tags_are_not_copied_and_the_stack_is_named(endpoint, attacher):
    endpoint(tags=[("team", "speech"), ("aws:cloudformation:stack-name", "endpoints")])
    plan = attacher.plan_attach("speech", ATTACHMENT)
    assert plan.target.tags == {"team": "speech", ATTACHED_FROM_TAG: "speech-1"}
    assert ["endpoints" in each for each in plan.warnings] == [True, False]
    assert "aws:cloudformation:stack-name" in plan.warnings[1]


def test_the_stack_of_an_endpoint_is_named(sagemaker, endpoint, attacher):
    endpoint()
    arn = sagemaker.describe_endpoint(EndpointName="speech")["EndpointArn"]
    tag = {"Key": "aws:cloudformation:stack-name", "Value": "endpoints"}
    sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
    (warning,) = attacher.plan_attach("speech", ATTACHMENT).warnings
    assert "endpoints" in warning


def test_a_config_without_a_failure_path_causes_a_warning(endpoint, attacher):
    endpoint(AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://bucket/out/"}})
    (warning,) = attacher.plan_attach("speech", ATTACHMENT).warnings
    assert "S3FailurePath" in warning
    with_path = Attachment(success_topic=SUCCESS, error_topic=ERROR, failure_path="s3://bucket")
    assert attacher.plan_attach("speech", with_path).warnings == ()


# The name of the copy


def test_the_name_of_a_copy_depends_on_its_content():
    names = {
        copy_name("speech-1", {"a": 1}, {}),
        copy_name("speech-1", {"a": 2}, {}),
        copy_name("speech-1", {"a": 1}, {"team": "speech"}),
    }
    assert len(names) == 3
    assert copy_name("speech-1", {"a": 1}, {}) in names


@pytest.mark.parametrize("original", ["x" * 63, "x" * 42 + "-" * 3 + "y" * 18, "a"])
def test_a_long_name_is_shortened_to_63_characters(original):
    name = copy_name(original, {}, {})
    assert len(name) == min(63, len(original) + len("-attached-0123456789"))
    assert re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9])*", name)
    assert name.startswith(original[:43])


def test_the_name_of_a_copy_of_a_copy_has_one_suffix():
    name = copy_name("speech-1", {}, {})
    assert len(copy_name(name, {"a": 1}, {})) == len(name)


# The update


def test_the_update_retains_instance_counts_weights_and_deployment_config(
    cloud, endpoint, attacher
):
    endpoint()
    plan = attach(attacher)
    assert cloud.request("UpdateEndpoint") == {
        "EndpointName": "speech",
        "EndpointConfigName": plan.target.name,
        "RetainAllVariantProperties": True,
        "RetainDeploymentConfig": True,
    }


def test_a_plan_changes_nothing(cloud, endpoint, attacher):
    endpoint()
    attacher.plan_attach("speech", ATTACHMENT)
    with pytest.raises(EndpointNotAttachable):
        attacher.plan_detach("speech")
    assert cloud.changes() == []


def test_attaching_an_attached_endpoint_changes_nothing(cloud, endpoint, attacher):
    endpoint()
    attach(attacher)
    plan = attacher.plan_attach("speech", ATTACHMENT)
    assert (plan.is_done, plan.changes) == (True, ())


def test_attach_can_be_repeated_after_an_interruption_before_the_update(cloud, endpoint, attacher):
    endpoint()
    cloud.errors["UpdateEndpoint"] = "AccessDeniedException"
    with pytest.raises(NotAuthorized):
        attach(attacher)
    cloud.errors.clear()
    attach(attacher)
    assert cloud.changes() == ["CreateEndpointConfig", "UpdateEndpoint", "UpdateEndpoint"]
    assert attacher.plan_attach("speech", ATTACHMENT).is_done


def test_attach_can_be_repeated_after_an_interruption_during_the_update(cloud, endpoint, attacher):
    endpoint()
    cloud.plane.updating_seconds = 30
    with pytest.raises(UpdateTimeout):
        attach(attacher, timeout=10)
    with pytest.raises(EndpointNotAttachable, match="it is Updating"):
        attacher.plan_attach("speech", ATTACHMENT)
    attacher.endpoints.sleep(30)
    assert attacher.plan_attach("speech", ATTACHMENT).is_done


def test_attach_after_detach_uses_the_copy_again(cloud, endpoint, attacher):
    endpoint()
    for _ in range(2):
        attach(attacher)
        detach(attacher)
    assert cloud.changes().count("CreateEndpointConfig") == 1


def test_additional_tags_of_the_copy_are_ignored(sagemaker, endpoint, attacher):
    endpoint()
    attach(attacher)
    detach(attacher)
    copied = attacher.plan_attach("speech", ATTACHMENT).target.name
    arn = sagemaker.describe_endpoint_config(EndpointConfigName=copied)["EndpointConfigArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "governance"}])
    attach(attacher)


def test_a_different_config_with_the_name_of_the_copy_is_not_used(
    cloud, sagemaker, endpoint, attacher
):
    endpoint()
    plan = attacher.plan_attach("speech", ATTACHMENT)
    other = {**plan.target.request, "EnableNetworkIsolation": True}
    sagemaker.create_endpoint_config(**other)
    with pytest.raises(EndpointNotAttachable, match="differs"):
        attacher.apply(plan, 60)
    assert "UpdateEndpoint" not in cloud.changes()


def test_detach_after_two_attaches_restores_the_original_config(sagemaker, endpoint, attacher):
    endpoint()
    attach(attacher)
    attach(attacher, Attachment(success_topic=OTHER_TOPIC, error_topic=ERROR))
    detach(attacher)
    assert config_of(sagemaker)["EndpointConfigName"] == "speech-1"


def test_detach_requires_the_former_config(sagemaker, endpoint, attacher):
    endpoint()
    attach(attacher)
    sagemaker.delete_endpoint_config(EndpointConfigName="speech-1")
    with pytest.raises(EndpointNotAttachable, match="former config speech-1 was deleted"):
        attacher.plan_detach("speech")


def test_detach_warns_about_later_changes_of_the_config(sagemaker, endpoint, attacher):
    endpoint(models=["speech", "speech-new"])
    plan = attach(attacher)
    assert attacher.plan_detach("speech").warnings == ()
    newer = {**plan.target.request, "EndpointConfigName": "speech-2"}
    newer["ProductionVariants"] = [{"VariantName": "all", "ModelName": "speech-new"}]
    sagemaker.create_endpoint_config(**newer)
    sagemaker.update_endpoint(EndpointName="speech", EndpointConfigName="speech-2")
    plan = attacher.plan_detach("speech")
    assert len(plan.warnings) == 1
    changes = {each.path: (each.before, each.after) for each in plan.changes}
    assert changes["ProductionVariants[0].ModelName"] == ("speech-new", "speech")


def test_a_rollback_raises_update_failed_with_the_reason(cloud, sagemaker, endpoint, attacher):
    endpoint()
    cloud.plane.updating_seconds = 30
    cloud.denied_topics = {ERROR}
    seen = []
    with pytest.raises(UpdateFailed, match="InService with speech-1: The provided role") as failed:
        attacher.apply(attacher.plan_attach("speech", ATTACHMENT), 600, seen.append)
    assert failed.value.config_name == "speech-1"
    assert set(seen) == {"Updating", "InService"}
    assert notification(config_of(sagemaker)) is None


@pytest.mark.parametrize("status", ["Failed", "UpdateRollbackFailed", "OutOfService", "Deleting"])
def test_any_other_final_status_raises_update_failed(session, clock, status):
    with pytest.raises(UpdateFailed, match=f"the endpoint is {status} with new: no capacity"):
        update_with_statuses(
            session, clock, [endpoint_state("Updating"), endpoint_state(status, config="new")]
        )


def test_a_stale_status_from_before_the_update_is_ignored(session, clock):
    update_with_statuses(
        session,
        clock,
        [
            endpoint_state("InService", minute=0),
            endpoint_state("Updating"),
            endpoint_state("SystemUpdating", config="new"),
            endpoint_state("InService", config="new"),
        ],
    )


def test_throttling_does_not_end_the_wait(session, clock):
    update_with_statuses(
        session,
        clock,
        [None, endpoint_state("Updating"), None, endpoint_state("InService", config="new")],
    )


def test_the_wait_ends_at_the_timeout(session, clock):
    with pytest.raises(UpdateTimeout, match="still Updating after 100 s"):
        update_with_statuses(session, clock, [endpoint_state("Updating")] * 99, timeout=100)
    assert clock.now == 100


def test_the_wait_ends_at_the_timeout_when_every_call_is_throttled(session, clock):
    with pytest.raises(UpdateTimeout) as timeout:
        update_with_statuses(session, clock, [None] * 99, timeout=100)
    assert isinstance(timeout.value.__cause__, ServiceUnavailable)


def endpoint_state(status, config="old", minute=1):
    return {
        "EndpointName": "speech",
        "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/speech",
        "EndpointStatus": status,
        "EndpointConfigName": config,
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        "LastModifiedTime": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
        "FailureReason": "no capacity",
    }


def update_with_statuses(session, clock, states, timeout=600.0):
    """Update an endpoint while DescribeEndpoint returns these states. None is a throttled call."""
    sagemaker = session.client("sagemaker")
    before = Endpoint(
        name="speech",
        arn=endpoint_state("")["EndpointArn"],
        status="InService",
        config_name="old",
        failure_reason=None,
        modified=endpoint_state("", minute=0)["LastModifiedTime"],
    )
    with Stubber(sagemaker) as stub:
        stub.add_response("update_endpoint", {"EndpointArn": before.arn})
        for state in states:
            if state is None:
                stub.add_client_error(
                    "describe_endpoint", "ThrottlingException", http_status_code=400
                )
            else:
                stub.add_response("describe_endpoint", state)
        endpoints = Endpoints(sagemaker=sagemaker, clock=clock, sleep=clock.sleep)
        endpoints.update(before, "new", timeout, progress=lambda status: None)
        stub.assert_no_pending_responses()


# Endpoints that cannot be attached


def test_an_unknown_endpoint_and_an_invalid_name_raise_different_errors(attacher):
    with pytest.raises(EndpointNotFound):
        attacher.plan_attach("speech", ATTACHMENT)
    for name in ("", "-", "a b", "x" * 64, "über"):
        with pytest.raises(InvalidRequest, match="endpoint"):
            attacher.plan_attach(name, ATTACHMENT)


def test_an_endpoint_that_is_not_asynchronous_cannot_be_attached(sagemaker, attacher):
    sagemaker.create_model(ModelName="speech", ExecutionRoleArn=ROLE)
    variants = [{"VariantName": "all", "ModelName": "speech"}]
    sagemaker.create_endpoint_config(EndpointConfigName="speech-1", ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName="speech", EndpointConfigName="speech-1")
    with pytest.raises(EndpointNotAttachable, match="not asynchronous"):
        attacher.plan_attach("speech", ATTACHMENT)


def test_an_endpoint_that_was_not_attached_cannot_be_detached(endpoint, attacher):
    endpoint()
    with pytest.raises(EndpointNotAttachable, match=ATTACHED_FROM_TAG):
        attacher.plan_detach("speech")


def test_an_endpoint_whose_config_was_deleted_cannot_be_attached(sagemaker, endpoint, attacher):
    endpoint()
    sagemaker.delete_endpoint_config(EndpointConfigName="speech-1")
    with pytest.raises(EndpointNotAttachable, match="speech-1 was deleted"):
        attacher.plan_attach("speech", ATTACHMENT)


def test_an_endpoint_whose_model_was_deleted_cannot_be_attached(cloud, endpoint, attacher):
    endpoint()
    cloud.errors["DescribeModel"] = "ValidationException"
    with pytest.raises(EndpointNotAttachable, match="model speech was deleted"):
        attacher.plan_attach("speech", ATTACHMENT)


@pytest.mark.parametrize(
    "invalid",
    [
        {"success_topic": "completed"},
        {"error_topic": "arn:aws:sqs:us-east-1:123456789012:failed"},
        {"failure_path": "bucket/prefix"},
        {"failure_path": "s3:///prefix"},
    ],
)
def test_invalid_attachments_are_rejected(invalid):
    (name,) = invalid
    with pytest.raises(InvalidRequest, match=name):
        Attachment(**{"success_topic": SUCCESS, "error_topic": ERROR, **invalid})


# Permissions


def test_a_role_that_cannot_publish_is_reported_with_the_missing_statement(
    cloud, endpoint, attacher
):
    endpoint()
    role = f"{ROLE}-speech"
    cloud.denied = {(role, ERROR)}
    plan = attacher.plan_attach("speech", ATTACHMENT)
    (permissions,) = plan.permissions
    assert json.loads(permissions.statements) == [
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": [ERROR]}
    ]
    with pytest.raises(PermissionsMissing, match=role):
        attacher.apply(plan, 60)
    assert cloud.changes() == []


def test_every_role_is_checked(cloud, endpoint, attacher):
    variants = {
        "ProductionVariants": [
            {
                "VariantName": "pools",
                "InstancePools": [
                    {"InstanceType": "ml.g5.xlarge", "ModelNameOverride": "b", "Priority": 1}
                ],
                "ModelName": "a",
            }
        ],
        "ShadowProductionVariants": [{"VariantName": "shadow", "ModelName": "c"}],
        "ExecutionRoleArn": ROLE,
    }
    endpoint(models=["a", "b", "c"], **variants)
    role_arns = [each.role_arn for each in attacher.plan_attach("speech", ATTACHMENT).permissions]
    assert role_arns == [ROLE, f"{ROLE}-a", f"{ROLE}-b", f"{ROLE}-c"]


def test_without_models_only_the_role_of_the_config_is_checked(endpoint, attacher):
    endpoint(ProductionVariants=[{"VariantName": "all"}], ExecutionRoleArn=ROLE)
    assert [each.role_arn for each in attacher.plan_attach("speech", ATTACHMENT).permissions] == [
        ROLE
    ]


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("s3://bucket/new/", "arn:aws:s3:::bucket/new/*"),
        ("s3://bucket/new", "arn:aws:s3:::bucket/new/*"),
        ("s3://bucket", "arn:aws:s3:::bucket/*"),
    ],
)
def test_a_new_failure_path_must_be_writable(cloud, endpoint, attacher, path, resource):
    endpoint()
    cloud.denied = {(f"{ROLE}-speech", resource)}
    attachment = Attachment(success_topic=SUCCESS, error_topic=ERROR, failure_path=path)
    (permissions,) = attacher.plan_attach("speech", attachment).permissions
    missing = [(each.action, each.resource) for each in permissions.missing]
    assert missing == [("s3:PutObject", resource)]


@pytest.mark.parametrize(
    ("code", "context"), [("AccessDenied", ""), ("NoSuchEntity", ""), ("", "aws:SourceVpc")]
)
def test_attach_continues_when_the_simulator_cannot_decide(
    cloud, endpoint, attacher, code, context
):
    endpoint()
    if code:
        cloud.errors["SimulatePrincipalPolicy"] = code
    cloud.missing_context = context
    cloud.denied = {(f"{ROLE}-speech", SUCCESS)}
    plan = attach(attacher)
    (permissions,) = plan.permissions
    assert (code or context) in permissions.unknown
    (command,) = permissions.commands
    assert f"--policy-source-arn {ROLE}-speech --action-names sns:Publish" in command
    assert f"--resource-arns {SUCCESS} {ERROR}" in command


def test_one_topic_for_both_outcomes_is_checked_once(endpoint, attacher):
    endpoint()
    plan = attacher.plan_attach("speech", Attachment(success_topic=SUCCESS, error_topic=SUCCESS))
    assert [each.resource for each in plan.permissions[0].required] == [SUCCESS]


# AWS errors


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDeniedException", NotAuthorized),
        ("ExpiredTokenException", NotAuthorized),
        ("ValidationException", InvalidRequest),
        ("ResourceLimitExceeded", UnexpectedResponse),
    ],
)
@pytest.mark.parametrize("operation", ["CreateEndpointConfig", "UpdateEndpoint"])
def test_a_rejected_call_raises_an_error_with_the_operation_and_the_reason(
    cloud, endpoint, attacher, operation, code, error
):
    endpoint()
    plan = attacher.plan_attach("speech", ATTACHMENT)
    cloud.errors[operation] = code
    with pytest.raises(error, match=rf"{operation}: {code}: not\ntoday"):
        attacher.apply(plan, 60)


@pytest.mark.parametrize(
    "operation", ["DescribeEndpoint", "DescribeEndpointConfig", "ListTags", "DescribeModel"]
)
def test_a_denied_read_raises_not_authorized(cloud, endpoint, attacher, operation):
    endpoint()
    cloud.errors[operation] = "AccessDeniedException"
    with pytest.raises(NotAuthorized, match=operation):
        attacher.plan_attach("speech", ATTACHMENT)


def test_throttling_raises_service_unavailable(sagemaker):
    with Stubber(sagemaker) as stub:
        stub.add_client_error("describe_endpoint", "ThrottlingException", http_status_code=400)
        with pytest.raises(ServiceUnavailable):
            Endpoints(sagemaker=sagemaker).read("speech")


# The topics of a stack


@pytest.fixture
def cloudformation(session):
    client = session.client("cloudformation")
    with Stubber(client) as stub:
        yield client, stub


def stack_with(**outputs):
    return {
        "Stacks": [
            {
                "StackName": "results",
                "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/results/1",
                "StackStatus": "CREATE_COMPLETE",
                "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
                "Outputs": [
                    {"OutputKey": key, "OutputValue": value} for key, value in outputs.items()
                ],
            }
        ]
    }


def test_the_topics_are_read_from_the_stack_outputs(cloudformation):
    client, stub = cloudformation
    response = stack_with(SuccessTopicArn=SUCCESS, ErrorTopicArn=ERROR, TableName="inferences")
    stub.add_response("describe_stacks", response, {"StackName": "results"})
    assert Stack.read(client, "results").topics == (SUCCESS, ERROR)


def test_a_stack_without_these_outputs_is_rejected(cloudformation):
    client, stub = cloudformation
    stub.add_response("describe_stacks", stack_with(SuccessTopicArn=SUCCESS))
    with pytest.raises(InvalidRequest, match="no output ErrorTopicArn"):
        _ = Stack.read(client, "results").topics


def test_a_missing_stack_and_a_denied_stack_raise_different_errors(cloudformation):
    client, stub = cloudformation
    stub.add_client_error("describe_stacks", "ValidationError", http_status_code=400)
    with pytest.raises(InvalidRequest, match="no stack named results"):
        Stack.read(client, "results")
    stub.add_client_error("describe_stacks", "AccessDenied", http_status_code=403)
    with pytest.raises(NotAuthorized):
        Stack.read(client, "results")


# Changes


def test_changes_name_members_by_their_paths():
    before = {"A": [{"B": 1}], "C": ["x", "y"], "D": True, "E": {}}
    after = {"A": [{"B": 2}, {"B": 3}], "C": ["x"], "D": True, "F": "new"}
    assert [(each.path, each.before, each.after) for each in diff_configs(before, after)] == [
        ("A[0].B", "1", "2"),
        ("C", '["x", "y"]', '["x"]'),
        ("A[1].B", None, "3"),
        ("F", None, "new"),
    ]
