"""What the wiring does to an endpoint, on the pretend control plane."""

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
from inference_results.operations.endpoints.attach import FORMER_TAG, Attachment, EndpointAttacher
from inference_results.operations.endpoints.configs import EndpointConfigs, changes, copy_name
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
    Generator,
    paths,
    paths_of_shape,
)

WIRES = Attachment(success_topic=SUCCESS, error_topic=ERROR)
FOREIGN = "arn:aws:sns:us-east-1:123456789012:of-another-service"
CREATE = SERVICE.operation_model("CreateEndpointConfig").input_shape
DESCRIBE = SERVICE.operation_model("DescribeEndpointConfig").output_shape


@pytest.fixture
def wiring(cloud, session, sagemaker, clock):
    cloud.plane.clock = clock
    return EndpointAttacher(
        endpoints=Endpoints(sagemaker=sagemaker, clock=clock, sleep=clock.sleep),
        configs=EndpointConfigs(sagemaker),
        rights=PermissionSimulator(sagemaker, session.client("iam")),
    )


@pytest.fixture
def endpoint(cloud, sagemaker):
    """Creates one, named speech, with the config speech-1, and forgets what was asked so far."""

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


def wire(wiring, wires=WIRES, timeout=60):
    plan = wiring.plan("speech", wires)
    wiring.apply(plan, timeout)
    return plan


def unwire(wiring):
    wiring.apply(wiring.plan_back("speech"), 60)


# The copy


@pytest.fixture
def whole(endpoint):
    """An endpoint whose config has every member that botocore knows; the members."""
    config = Generator().value(CREATE)
    models = []
    for variants in (config["ProductionVariants"], config["ShadowProductionVariants"]):
        for variant in variants:
            pools = [each["ModelNameOverride"] for each in variant["InstancePools"]]
            models += [variant["ModelName"], *pools]
    assert paths(config) == paths_of_shape(CREATE)
    tags = [(each["Key"], each["Value"]) for each in config.pop("Tags")]
    del config["EndpointConfigName"]
    endpoint(models=models, tags=tags, **config)
    return {**config, "Tags": [{"Key": key, "Value": value} for key, value in tags]}


def test_every_member_that_botocore_knows_is_in_the_copy(cloud, wiring, whole):
    wire(wiring)
    created = cloud.request("CreateEndpointConfig")
    assert paths(created) == paths_of_shape(CREATE)
    expected = json.loads(json.dumps(whole))
    topics = expected["AsyncInferenceConfig"]["OutputConfig"]["NotificationConfig"]
    topics |= {"SuccessTopic": SUCCESS, "ErrorTopic": ERROR}
    expected["Tags"].append({"Key": FORMER_TAG, "Value": "speech-1"})
    created["Tags"].sort(key=lambda tag: [tag["Key"] == FORMER_TAG, tag["Key"]])
    assert {**expected, "EndpointConfigName": created["EndpointConfigName"]} == created


def test_what_can_be_created_can_be_described():
    """A member that is told in one direction only could not be copied."""
    described = paths_of_shape(DESCRIBE)
    own = paths_of_shape(CREATE.members["Tags"], ".Tags")
    assert paths_of_shape(CREATE) - described == own


@pytest.mark.usefixtures("whole")
def test_the_way_back_ends_where_it_began(sagemaker, wiring):
    before = config_of(sagemaker)
    wire(wiring)
    assert notification(config_of(sagemaker))["SuccessTopic"] == SUCCESS
    unwire(wiring)
    after = config_of(sagemaker)
    for each in (before, after):
        del each["ResponseMetadata"]
    assert after == before


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"NewConfig": {"Level": 1}}, "NewConfig"),
        ({"VpcConfig": {"Subnets": [], "SecurityGroupIds": [], "NewPart": 1}}, "VpcConfig.NewPart"),
        (
            {"ProductionVariants": [{"VariantName": "all", "NewPart": 1}] * 2},
            "has ProductionVariants.NewPart,",
        ),
    ],
)
def test_a_member_that_this_botocore_does_not_know_is_not_dropped(
    cloud, endpoint, wiring, extra, named
):
    endpoint()
    cloud.extra = extra
    with pytest.raises(EndpointNotAttachable, match=named):
        wiring.plan("speech", WIRES)


def test_null_in_an_answer_is_no_member(cloud, endpoint, wiring):
    endpoint()
    cloud.extra = {"VpcConfig": None}
    assert "VpcConfig" not in wiring.plan("speech", WIRES).target.fields


def test_what_the_config_says_of_outputs_is_kept_unless_it_is_given(cloud, endpoint, wiring):
    kept = {
        "KmsKeyId": "key",
        "NotificationConfig": {"IncludeInferenceResponseIn": ["ERROR_NOTIFICATION_TOPIC"]},
    }
    endpoint(output=kept)
    wire(wiring)
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


def test_what_is_given_replaces_what_the_config_says(cloud, endpoint, wiring):
    endpoint(output={"NotificationConfig": {"SuccessTopic": FOREIGN}})
    wires = Attachment(
        success_topic=SUCCESS,
        error_topic=ERROR,
        failure_path="s3://bucket/other/",
        include_response_in=("SUCCESS_NOTIFICATION_TOPIC",),
    )
    plan = wire(wiring, wires)
    inner = "AsyncInferenceConfig.OutputConfig."
    assert {(each.path, each.before, each.after) for each in plan.changes} == {
        (f"{inner}S3FailurePath", "s3://bucket/failures/", "s3://bucket/other/"),
        (f"{inner}NotificationConfig.SuccessTopic", FOREIGN, SUCCESS),
        (f"{inner}NotificationConfig.ErrorTopic", None, ERROR),
        (
            f"{inner}NotificationConfig.IncludeInferenceResponseIn",
            None,
            '["SUCCESS_NOTIFICATION_TOPIC"]',
        ),
    }
    assert cloud.published == [SUCCESS, ERROR]


def test_tags_of_aws_are_not_copied_and_a_stack_is_named(endpoint, wiring):
    endpoint(tags=[("team", "speech"), ("aws:cloudformation:stack-name", "endpoints")])
    plan = wiring.plan("speech", WIRES)
    assert plan.target.tags == {"team": "speech", FORMER_TAG: "speech-1"}
    assert ["endpoints" in each for each in plan.remarks] == [True, False]
    assert "aws:cloudformation:stack-name" in plan.remarks[1]


def test_the_stack_of_an_endpoint_is_named_too(sagemaker, endpoint, wiring):
    endpoint()
    arn = sagemaker.describe_endpoint(EndpointName="speech")["EndpointArn"]
    tag = {"Key": "aws:cloudformation:stack-name", "Value": "endpoints"}
    sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
    (remark,) = wiring.plan("speech", WIRES).remarks
    assert "endpoints" in remark


def test_a_config_without_a_failure_path_is_remarked_upon(endpoint, wiring):
    endpoint(AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://bucket/out/"}})
    (remark,) = wiring.plan("speech", WIRES).remarks
    assert "S3FailurePath" in remark
    with_path = Attachment(success_topic=SUCCESS, error_topic=ERROR, failure_path="s3://bucket")
    assert wiring.plan("speech", with_path).remarks == ()


# Its name


def test_a_copy_is_named_by_its_content():
    names = {
        copy_name("speech-1", {"a": 1}, {}),
        copy_name("speech-1", {"a": 2}, {}),
        copy_name("speech-1", {"a": 1}, {"team": "speech"}),
    }
    assert len(names) == 3
    assert copy_name("speech-1", {"a": 1}, {}) in names


@pytest.mark.parametrize("former", ["x" * 63, "x" * 45 + "-" * 3 + "y" * 15, "a"])
def test_a_name_is_cut_to_what_sagemaker_takes(former):
    name = copy_name(former, {}, {})
    assert len(name) <= 63
    assert re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9])*", name)
    assert name.startswith(former[:45])


def test_a_copy_of_a_copy_does_not_grow():
    once = copy_name("speech-1", {}, {})
    assert len(copy_name(once, {"a": 1}, {})) == len(once)


# The update


def test_instance_counts_weights_and_the_way_of_deployment_are_retained(cloud, endpoint, wiring):
    endpoint()
    plan = wire(wiring)
    assert cloud.request("UpdateEndpoint") == {
        "EndpointName": "speech",
        "EndpointConfigName": plan.target.name,
        "RetainAllVariantProperties": True,
        "RetainDeploymentConfig": True,
    }


def test_a_plan_changes_nothing(cloud, endpoint, wiring):
    endpoint()
    wiring.plan("speech", WIRES)
    with pytest.raises(EndpointNotAttachable):
        wiring.plan_back("speech")
    assert cloud.changes() == []


def test_a_wired_endpoint_has_nothing_to_change(cloud, endpoint, wiring):
    endpoint()
    wire(wiring)
    plan = wiring.plan("speech", WIRES)
    assert (plan.is_done, plan.changes) == (True, ())


def test_a_run_that_was_killed_before_the_update_can_be_repeated(cloud, endpoint, wiring):
    endpoint()
    cloud.errors["UpdateEndpoint"] = "AccessDeniedException"
    with pytest.raises(NotAuthorized):
        wire(wiring)
    cloud.errors.clear()
    wire(wiring)
    assert cloud.changes() == ["CreateEndpointConfig", "UpdateEndpoint", "UpdateEndpoint"]
    assert wiring.plan("speech", WIRES).is_done


def test_a_run_that_was_killed_during_the_update_can_be_repeated(cloud, endpoint, wiring):
    endpoint()
    cloud.plane.updating_seconds = 30
    with pytest.raises(UpdateTimeout):
        wire(wiring, timeout=10)
    with pytest.raises(EndpointNotAttachable, match="it is Updating"):
        wiring.plan("speech", WIRES)
    wiring.endpoints.sleep(30)
    assert wiring.plan("speech", WIRES).is_done


def test_after_the_way_back_the_copy_is_used_again(cloud, endpoint, wiring):
    endpoint()
    for _ in range(2):
        wire(wiring)
        unwire(wiring)
    assert cloud.changes().count("CreateEndpointConfig") == 1


def test_tags_that_others_put_on_the_copy_do_not_matter(sagemaker, endpoint, wiring):
    endpoint()
    wire(wiring)
    unwire(wiring)
    copied = wiring.plan("speech", WIRES).target.name
    arn = sagemaker.describe_endpoint_config(EndpointConfigName=copied)["EndpointConfigArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "governance"}])
    wire(wiring)


def test_another_config_under_the_name_of_the_copy_is_not_used(cloud, sagemaker, endpoint, wiring):
    endpoint()
    plan = wiring.plan("speech", WIRES)
    other = {**plan.target.request, "EnableNetworkIsolation": True}
    sagemaker.create_endpoint_config(**other)
    with pytest.raises(EndpointNotAttachable, match="differs"):
        wiring.apply(plan, 60)
    assert "UpdateEndpoint" not in cloud.changes()


def test_the_way_back_from_two_wirings_leads_to_the_beginning(sagemaker, endpoint, wiring):
    endpoint()
    wire(wiring)
    wire(wiring, Attachment(success_topic=FOREIGN, error_topic=ERROR))
    unwire(wiring)
    assert config_of(sagemaker)["EndpointConfigName"] == "speech-1"


def test_the_way_back_needs_the_former_config(sagemaker, endpoint, wiring):
    endpoint()
    wire(wiring)
    sagemaker.delete_endpoint_config(EndpointConfigName="speech-1")
    with pytest.raises(EndpointNotAttachable, match="speech-1 is gone"):
        wiring.plan_back("speech")


def test_the_way_back_tells_what_others_have_changed_since(sagemaker, endpoint, wiring):
    endpoint(models=["speech", "speech-new"])
    plan = wire(wiring)
    assert wiring.plan_back("speech").remarks == ()
    newer = {**plan.target.request, "EndpointConfigName": "speech-2"}
    newer["ProductionVariants"] = [{"VariantName": "all", "ModelName": "speech-new"}]
    sagemaker.create_endpoint_config(**newer)
    sagemaker.update_endpoint(EndpointName="speech", EndpointConfigName="speech-2")
    back = wiring.plan_back("speech")
    assert len(back.remarks) == 1
    found = {each.path: (each.before, each.after) for each in back.changes}
    assert found["ProductionVariants[0].ModelName"] == ("speech-new", "speech")


def test_a_rollback_is_a_failure_with_its_reason(cloud, sagemaker, endpoint, wiring):
    endpoint()
    cloud.plane.updating_seconds = 30
    cloud.unpublishable = {ERROR}
    seen = []
    with pytest.raises(UpdateFailed, match="InService with speech-1: The provided role") as failed:
        wiring.apply(wiring.plan("speech", WIRES), 600, seen.append)
    assert failed.value.config_name == "speech-1"
    assert set(seen) == {"Updating", "InService"}
    assert notification(config_of(sagemaker)) is None


@pytest.mark.parametrize("status", ["Failed", "UpdateRollbackFailed", "OutOfService", "Deleting"])
def test_an_update_that_ends_otherwise_is_a_failure(session, clock, status):
    with pytest.raises(UpdateFailed, match=f"the endpoint is {status} with new: no capacity"):
        update_seeing(session, clock, [described("Updating"), described(status, config="new")])


def test_a_state_from_before_the_update_does_not_end_it(session, clock):
    update_seeing(
        session,
        clock,
        [
            described("InService", minute=0),
            described("Updating"),
            described("SystemUpdating", config="new"),
            described("InService", config="new"),
        ],
    )


def test_throttling_does_not_end_the_watching(session, clock):
    update_seeing(
        session, clock, [None, described("Updating"), None, described("InService", config="new")]
    )


def test_the_watching_ends_in_time(session, clock):
    with pytest.raises(UpdateTimeout, match="still Updating after 100 s"):
        update_seeing(session, clock, [described("Updating")] * 99, timeout=100)
    assert clock.now == 100


def test_the_watching_ends_in_time_without_an_answer(session, clock):
    with pytest.raises(UpdateTimeout) as timeout:
        update_seeing(session, clock, [None] * 99, timeout=100)
    assert isinstance(timeout.value.__cause__, ServiceUnavailable)


def described(status, config="old", minute=1):
    return {
        "EndpointName": "speech",
        "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/speech",
        "EndpointStatus": status,
        "EndpointConfigName": config,
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        "LastModifiedTime": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
        "FailureReason": "no capacity",
    }


def update_seeing(session, clock, states, timeout=600.0):
    """An update during which DescribeEndpoint answers so; with None it is throttled."""
    sagemaker = session.client("sagemaker")
    before = Endpoint(
        name="speech",
        arn=described("")["EndpointArn"],
        status="InService",
        config_name="old",
        failure_reason=None,
        modified=described("", minute=0)["LastModifiedTime"],
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


# Endpoints that are not fit for it


def test_an_unknown_endpoint_is_told_from_a_malformed_name(wiring):
    with pytest.raises(EndpointNotFound):
        wiring.plan("speech", WIRES)
    for name in ("", "-", "a b", "x" * 64, "über"):
        with pytest.raises(InvalidRequest, match="endpoint"):
            wiring.plan(name, WIRES)


def test_an_endpoint_that_is_not_asynchronous_is_refused(sagemaker, wiring):
    sagemaker.create_model(ModelName="speech", ExecutionRoleArn=ROLE)
    variants = [{"VariantName": "all", "ModelName": "speech"}]
    sagemaker.create_endpoint_config(EndpointConfigName="speech-1", ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName="speech", EndpointConfigName="speech-1")
    with pytest.raises(EndpointNotAttachable, match="not asynchronous"):
        wiring.plan("speech", WIRES)


def test_an_endpoint_that_was_not_wired_has_no_way_back(endpoint, wiring):
    endpoint()
    with pytest.raises(EndpointNotAttachable, match=FORMER_TAG):
        wiring.plan_back("speech")


def test_an_endpoint_whose_config_was_deleted_is_refused(sagemaker, endpoint, wiring):
    endpoint()
    sagemaker.delete_endpoint_config(EndpointConfigName="speech-1")
    with pytest.raises(EndpointNotAttachable, match="speech-1 was deleted"):
        wiring.plan("speech", WIRES)


def test_an_endpoint_whose_model_was_deleted_is_refused(cloud, endpoint, wiring):
    endpoint()
    cloud.errors["DescribeModel"] = "ValidationException"
    with pytest.raises(EndpointNotAttachable, match="model speech was deleted"):
        wiring.plan("speech", WIRES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"success_topic": "completed"},
        {"error_topic": "arn:aws:sqs:us-east-1:123456789012:failed"},
        {"failure_path": "bucket/prefix"},
        {"failure_path": "s3:///prefix"},
    ],
)
def test_wires_that_lead_nowhere_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(InvalidRequest, match=name):
        Attachment(**{"success_topic": SUCCESS, "error_topic": ERROR, **wrong})


# Rights


def test_a_role_that_may_not_publish_is_refused_with_the_statement_to_add(cloud, endpoint, wiring):
    endpoint()
    role = f"{ROLE}-speech"
    cloud.denied = {(role, ERROR)}
    plan = wiring.plan("speech", WIRES)
    (rights,) = plan.rights
    assert json.loads(rights.statements) == [
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": [ERROR]}
    ]
    with pytest.raises(PermissionsMissing, match=role):
        wiring.apply(plan, 60)
    assert cloud.changes() == []


def test_every_role_is_asked_for(cloud, endpoint, wiring):
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
    asked = [each.role_arn for each in wiring.plan("speech", WIRES).rights]
    assert asked == [ROLE, f"{ROLE}-a", f"{ROLE}-b", f"{ROLE}-c"]


def test_variants_without_a_model_need_the_configs_role_only(endpoint, wiring):
    endpoint(ProductionVariants=[{"VariantName": "all"}], ExecutionRoleArn=ROLE)
    assert [each.role_arn for each in wiring.plan("speech", WIRES).rights] == [ROLE]


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("s3://bucket/new/", "arn:aws:s3:::bucket/new/*"),
        ("s3://bucket/new", "arn:aws:s3:::bucket/new/*"),
        ("s3://bucket", "arn:aws:s3:::bucket/*"),
    ],
)
def test_a_new_failure_path_must_be_writable(cloud, endpoint, wiring, path, resource):
    endpoint()
    cloud.denied = {(f"{ROLE}-speech", resource)}
    wires = Attachment(success_topic=SUCCESS, error_topic=ERROR, failure_path=path)
    (rights,) = wiring.plan("speech", wires).rights
    assert [(each.action, each.resource) for each in rights.missing] == [("s3:PutObject", resource)]


@pytest.mark.parametrize(
    ("code", "context"), [("AccessDenied", ""), ("NoSuchEntity", ""), ("", "aws:SourceVpc")]
)
def test_where_rights_cannot_be_told_it_says_how_to_ask_and_goes_on(
    cloud, endpoint, wiring, code, context
):
    endpoint()
    if code:
        cloud.errors["SimulatePrincipalPolicy"] = code
    cloud.missing_context = context
    cloud.denied = {(f"{ROLE}-speech", SUCCESS)}
    plan = wire(wiring)
    (rights,) = plan.rights
    assert (code or context) in rights.unknown
    (command,) = rights.commands
    assert f"--policy-source-arn {ROLE}-speech --action-names sns:Publish" in command
    assert f"--resource-arns {SUCCESS} {ERROR}" in command


def test_one_topic_for_both_is_asked_for_once(endpoint, wiring):
    endpoint()
    plan = wiring.plan("speech", Attachment(success_topic=SUCCESS, error_topic=SUCCESS))
    assert [each.resource for each in plan.rights[0].needs] == [SUCCESS]


# What AWS says


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
def test_a_refusal_is_told_with_the_operation_and_the_reason(
    cloud, endpoint, wiring, operation, code, error
):
    endpoint()
    plan = wiring.plan("speech", WIRES)
    cloud.errors[operation] = code
    with pytest.raises(error, match=rf"{operation}: {code}: not\ntoday"):
        wiring.apply(plan, 60)


@pytest.mark.parametrize(
    "operation", ["DescribeEndpoint", "DescribeEndpointConfig", "ListTags", "DescribeModel"]
)
def test_who_may_not_read_is_told(cloud, endpoint, wiring, operation):
    endpoint()
    cloud.errors[operation] = "AccessDeniedException"
    with pytest.raises(NotAuthorized, match=operation):
        wiring.plan("speech", WIRES)


def test_throttling_may_pass(sagemaker):
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


def test_the_topics_are_outputs_of_the_stack(cloudformation):
    client, stub = cloudformation
    answer = stack_with(SuccessTopicArn=SUCCESS, ErrorTopicArn=ERROR, TableName="inferences")
    stub.add_response("describe_stacks", answer, {"StackName": "results"})
    assert Stack.described(client, "results").topics == (SUCCESS, ERROR)


def test_a_stack_without_these_outputs_is_another(cloudformation):
    client, stub = cloudformation
    stub.add_response("describe_stacks", stack_with(SuccessTopicArn=SUCCESS))
    with pytest.raises(InvalidRequest, match="no output ErrorTopicArn"):
        _ = Stack.described(client, "results").topics


def test_a_stack_that_is_not_there_is_told_from_one_that_may_not_be_read(cloudformation):
    client, stub = cloudformation
    stub.add_client_error("describe_stacks", "ValidationError", http_status_code=400)
    with pytest.raises(InvalidRequest, match="there is no stack results"):
        Stack.described(client, "results")
    stub.add_client_error("describe_stacks", "AccessDenied", http_status_code=403)
    with pytest.raises(NotAuthorized):
        Stack.described(client, "results")


# Differences


def test_changes_name_members_by_their_paths():
    before = {"A": [{"B": 1}], "C": ["x", "y"], "D": True, "E": {}}
    after = {"A": [{"B": 2}, {"B": 3}], "C": ["x"], "D": True, "F": "new"}
    assert [(each.path, each.before, each.after) for each in changes(before, after)] == [
        ("A[0].B", "1", "2"),
        ("C", '["x", "y"]', '["x"]'),
        ("A[1].B", None, "3"),
        ("F", None, "new"),
    ]
