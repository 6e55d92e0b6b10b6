"""Create a topic, queue and function like the stack's, around a handler of pipeline_handlers.py."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import boto3

_HANDLERS: Final = Path(__file__).with_name("pipeline_handlers.py")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The topic to publish to, and the queue that the function reads."""

    topic_arn: str
    queue_url: str


def create_pipeline(handler: str, variables: Mapping[str, str], *actions: str) -> Pipeline:
    """Create a pipeline in the local system that this process is a client of.

    `handler` is a function of pipeline_handlers.py. `actions` are the IAM actions that it needs.
    """
    name = f"benchmark-{handler.replace('_', '-')}"
    sqs, sns, functions = boto3.client("sqs"), boto3.client("sns"), boto3.client("lambda")
    topic_arn = sns.create_topic(Name=name)["TopicArn"]
    queue_url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "180"})[
        "QueueUrl"
    ]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    queue_arn = attributes["Attributes"]["QueueArn"]
    send = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": _policy(send)})
    sns.subscribe(
        TopicArn=topic_arn,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    functions.create_function(
        FunctionName=name,
        Role=_create_role(name, actions),
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
    return Pipeline(topic_arn, queue_url)


def _create_role(name: str, actions: tuple[str, ...]) -> str:
    iam = boto3.client("iam")
    service = {"Service": "lambda.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]
    read_queue = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    permissions = {"Effect": "Allow", "Action": [*read_queue, *actions], "Resource": "*"}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_policy(permissions))
    return role["Arn"]


def _bundle() -> bytes:
    bundle = BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr(_HANDLERS.name, _HANDLERS.read_text())
    return bundle.getvalue()


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
