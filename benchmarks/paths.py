"""A topic, a queue and a function as the stack has them, around a handler of path_handlers.py."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import boto3

_HANDLERS: Final = Path(__file__).with_name("path_handlers.py")


@dataclass(frozen=True, slots=True)
class NotificationPath:
    """Where to publish, and the queue that the function drains."""

    topic_arn: str
    queue_url: str


def create_path(handler: str, variables: Mapping[str, str], *allowed: str) -> NotificationPath:
    """In the local system that this process is a client of.

    `handler`: a function of path_handlers.py. `allowed`: its actions.
    """
    name = f"benchmark-{handler.replace('_', '-')}"
    sqs, sns, functions = boto3.client("sqs"), boto3.client("sns"), boto3.client("lambda")
    topic_arn = sns.create_topic(Name=name)["TopicArn"]
    queue_url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "180"})[
        "QueueUrl"
    ]
    found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    queue_arn = found["Attributes"]["QueueArn"]
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
        Role=_role(name, allowed),
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
    return NotificationPath(topic_arn, queue_url)


def _role(name: str, allowed: tuple[str, ...]) -> str:
    iam = boto3.client("iam")
    service = {"Service": "lambda.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]
    drain = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    rights = {"Effect": "Allow", "Action": [*drain, *allowed], "Resource": "*"}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_policy(rights))
    return role["Arn"]


def _bundle() -> bytes:
    bundle = BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr(_HANDLERS.name, _HANDLERS.read_text())
    return bundle.getvalue()


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
