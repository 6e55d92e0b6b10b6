"""Create a topic, queue and function like the stack's, around a handler of pipeline_handlers.py."""

import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3

_HANDLERS: Final = Path(__file__).with_name("pipeline_handlers.py")
_ACTIONS: Final = [
    *(f"sqs:{each}" for each in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")),
    *("dynamodb:PutItem", "s3:GetObject", "s3:GetObjectVersion"),
]


class Pipeline(NamedTuple):
    """The topic to publish to, and the queue that the function reads."""

    topic_arn: str
    queue_url: str


def create_pipeline(handler: str, variables: Mapping[str, str]) -> Pipeline:
    """Create a pipeline in the local system that this process is a client of.

    `handler` is a function of pipeline_handlers.py.
    """
    name = f"benchmark-{handler.replace('_', '-')}"
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    topic_arn = sns.create_topic(Name=name)["TopicArn"]
    queue_url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "180"})[
        "QueueUrl"
    ]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    queue_arn = attributes["Attributes"]["QueueArn"]
    policy = _policy("sns.amazonaws.com", Action="sqs:SendMessage", Resource=queue_arn)
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": policy})
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=raw)
    _create_function(name, handler, variables, queue_arn)
    return Pipeline(topic_arn, queue_url)


def _create_function(name: str, handler: str, variables: Mapping[str, str], queue_arn: str) -> None:
    functions = boto3.client("lambda")
    functions.create_function(
        FunctionName=name,
        Role=_create_role(name),
        Runtime="python3.11",
        Handler=f"{_HANDLERS.stem}.{handler}",
        Code={"ZipFile": _bundle()},
        Timeout=30,
        MemorySize=512,
        Environment={"Variables": dict(variables)},
    )
    functions.create_event_source_mapping(
        EventSourceArn=queue_arn,
        FunctionName=name,
        BatchSize=10,
        ScalingConfig={"MaximumConcurrency": 10},
    )


def _create_role(name: str) -> str:
    iam = boto3.client("iam")
    trust = _policy("lambda.amazonaws.com", Action="sts:AssumeRole")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    permissions = _policy(Action=_ACTIONS, Resource="*")
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=permissions)
    return role["Arn"]


def _policy(service: str | None = None, **statement: Any) -> str:
    principal = {"Principal": {"Service": service}} if service else {}
    statement = {"Effect": "Allow", **principal, **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _bundle() -> bytes:
    bundle = BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr(_HANDLERS.name, _HANDLERS.read_text())
    return bundle.getvalue()
