"""A deployed stack: what its template says of each resource, with the names that AWS gave them.

What the template says is what is expected. CloudFormation's own drift detection tells less: it
knows neither policies of queues nor event source mappings whole, and it has to be started.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from inference_results.client.errors import InvalidRequest
from inference_results.client.transports.aws_errors import translate_aws_errors
from inference_results.contract import Service, Variable
from inference_results.operations.stack import Stack

FUNCTION: Final = "AWS::Lambda::Function"
MAPPING: Final = "AWS::Lambda::EventSourceMapping"
QUEUE: Final = "AWS::SQS::Queue"
QUEUE_POLICY: Final = "AWS::SQS::QueuePolicy"
TOPIC: Final = "AWS::SNS::Topic"
TOPIC_POLICY: Final = "AWS::SNS::TopicPolicy"
SUBSCRIPTION: Final = "AWS::SNS::Subscription"
TABLE: Final = "AWS::DynamoDB::GlobalTable"
SCHEDULE: Final = "AWS::Scheduler::Schedule"
BUS: Final = "AWS::Events::EventBus"
KEY: Final = "AWS::KMS::Key"
ROLE: Final = "AWS::IAM::Role"

_HANDLERS: Final = "functions."

_ARNS: Final = {
    QUEUE: "arn:{partition}:sqs:{region}:{account}:{name}",
    FUNCTION: "arn:{partition}:lambda:{region}:{account}:function:{name}",
    TABLE: "arn:{partition}:dynamodb:{region}:{account}:table/{name}",
    BUS: "arn:{partition}:events:{region}:{account}:event-bus/{name}",
    KEY: "arn:{partition}:kms:{region}:{account}:key/{name}",
    ROLE: "arn:{partition}:iam::{account}:role/{name}",
}
"""What GetAtt says of a resource's Arn, from what Ref says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """`physical_id` is what Ref stands for: a name, a URL or an ARN.

    `properties` are the template's, with names in place of references; None is not known.
    """

    kind: str
    physical_id: str
    arn: str | None
    properties: Mapping[str, Any]

    @property
    def environment(self) -> Mapping[str, str | None]:
        """Variables of a function."""
        variables: Mapping[str, str | None] = self.properties["Environment"]["Variables"]
        return variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Resources that were never created are not among them."""

    stack: Stack
    resources: tuple[Resource, ...]

    @classmethod
    def read(cls, cloudformation: Any, name: str) -> Self:
        """By a client of boto3. Raises InvalidRequest for a stack that is not there."""
        stack = Stack.described(cloudformation, name)
        with translate_aws_errors("cloudformation"):
            pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
            listed = [each for page in pages for each in page["StackResourceSummaries"]]
            template = cloudformation.get_template(StackName=name, TemplateStage="Processed")
        body = template["TemplateBody"]
        if not isinstance(body, Mapping):
            raise InvalidRequest(
                f"{name} is none of this service: its template is no JSON", "stack"
            )
        names = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in listed
            if each.get("PhysicalResourceId")
        }
        return cls(stack=stack, resources=tuple(_resources(stack.arn, body["Resources"], names)))

    def of(self, kind: str) -> Iterator[Resource]:
        return (each for each in self.resources if each.kind == kind)

    @property
    def functions(self) -> Iterator[Resource]:
        """Those of this service: a stack may have others."""
        return (
            each
            for each in self.of(FUNCTION)
            if each.properties.get("Handler", "").startswith(_HANDLERS)
        )

    def functions_of(self, service: Service) -> Iterator[Resource]:
        handler = f"{_HANDLERS}{service}.handler"
        return (each for each in self.functions if each.properties["Handler"] == handler)

    def setting(self, variable: Variable) -> str | None:
        """What the functions that have this variable are told; None if there is no such."""
        found = (each.environment.get(variable) for each in self.functions)
        return next((each for each in found if each is not None), None)

    def queue(self, arn: str | None) -> Resource | None:
        return next((each for each in self.of(QUEUE) if each.arn == arn), None)


def _resources(
    stack_arn: str, templates: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[Resource]:
    _, partition, _, region, account, _ = stack_arn.split(":", 5)
    place = {"partition": partition, "region": region, "account": account}
    arns = {
        logical_id: _ARNS[templates[logical_id]["Type"]].format(
            **place, name=name.rpartition("/")[2]
        )
        for logical_id, name in names.items()
        if templates.get(logical_id, {}).get("Type") in _ARNS
    }
    pseudo = {
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::AccountId": account,
        "AWS::StackId": stack_arn,
        "AWS::StackName": stack_arn.split("/")[1],
    }
    references = _References(names=pseudo | dict(names), arns=arns)
    for logical_id, name in names.items():
        if template := templates.get(logical_id):
            yield Resource(
                kind=template["Type"],
                physical_id=name,
                arn=arns.get(logical_id),
                properties=references.resolved(template.get("Properties", {})),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _References:
    names: Mapping[str, str] = field(repr=False)
    arns: Mapping[str, str] = field(repr=False)

    def resolved(self, value: Any) -> Any:
        """With None for what only AWS can tell."""
        match value:
            case {"Ref": str(name)}:
                return self.names.get(name)
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return self.arns.get(name)
            case {"Fn::Join": [str(separator), [*parts]]}:
                return self._joined(separator, parts)
            case Mapping() if any(name.startswith("Fn::") for name in value):
                return None
            case Mapping():
                return {name: self.resolved(each) for name, each in value.items()}
            case list():
                return [self.resolved(each) for each in value]
        return value

    def _joined(self, separator: str, parts: list[Any]) -> str | None:
        texts = [self.resolved(each) for each in parts]
        return separator.join(texts) if all(isinstance(each, str) for each in texts) else None
