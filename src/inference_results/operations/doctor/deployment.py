"""Read a deployed stack: its resources as the template describes them, with their actual names.

The checks compare AWS with the template. CloudFormation's drift detection is not enough: it covers
neither queue policies nor event source mappings completely, and it must be started first.
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

_HANDLER_PREFIX: Final = "functions."

_ARN_FORMATS: Final = {
    QUEUE: "arn:{partition}:sqs:{region}:{account}:{name}",
    FUNCTION: "arn:{partition}:lambda:{region}:{account}:function:{name}",
    TABLE: "arn:{partition}:dynamodb:{region}:{account}:table/{name}",
    BUS: "arn:{partition}:events:{region}:{account}:event-bus/{name}",
    KEY: "arn:{partition}:kms:{region}:{account}:key/{name}",
    ROLE: "arn:{partition}:iam::{account}:role/{name}",
}
"""The values of GetAtt Arn. `name` is the value of Ref."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of the stack.

    `physical_id` is what Ref returns: a name, URL or ARN. `properties` are the template's, with
    references replaced by names; None stands for a value that the template does not determine.
    """

    resource_type: str
    physical_id: str
    arn: str | None
    properties: Mapping[str, Any]

    @property
    def environment(self) -> Mapping[str, str | None]:
        """The environment variables of a function."""
        variables: Mapping[str, str | None] = self.properties["Environment"]["Variables"]
        return variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A stack and the resources that CloudFormation created for it."""

    stack: Stack
    resources: tuple[Resource, ...]

    @classmethod
    def read(cls, cloudformation: Any, name: str) -> Self:
        """Read a stack with a boto3 client. Raises InvalidRequest if it is not of this service."""
        stack = Stack.read(cloudformation, name)
        with translate_aws_errors("cloudformation"):
            pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
            summaries = [each for page in pages for each in page["StackResourceSummaries"]]
            template = cloudformation.get_template(StackName=name, TemplateStage="Processed")
        body = template["TemplateBody"]
        if not isinstance(body, Mapping):
            raise InvalidRequest(
                f"{name} is not a stack of this service: expected a template in JSON", "stack"
            )
        names = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in summaries
            if each.get("PhysicalResourceId")
        }
        return cls(stack=stack, resources=tuple(_resources(stack.arn, body["Resources"], names)))

    def of_type(self, resource_type: str) -> Iterator[Resource]:
        return (each for each in self.resources if each.resource_type == resource_type)

    @property
    def functions(self) -> Iterator[Resource]:
        """This service's functions. The stack can contain others."""
        return (
            each
            for each in self.of_type(FUNCTION)
            if each.properties.get("Handler", "").startswith(_HANDLER_PREFIX)
        )

    def functions_of(self, service: Service) -> Iterator[Resource]:
        handler = f"{_HANDLER_PREFIX}{service}.handler"
        return (each for each in self.functions if each.properties["Handler"] == handler)

    def setting(self, variable: Variable) -> str | None:
        """Return the value of an environment variable, or None if no function has it."""
        values = (each.environment.get(variable) for each in self.functions)
        return next((each for each in values if each is not None), None)

    def queue(self, arn: str | None) -> Resource | None:
        return next((each for each in self.of_type(QUEUE) if each.arn == arn), None)


def _resources(
    stack_arn: str, templates: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[Resource]:
    _, partition, _, region, account, _ = stack_arn.split(":", 5)
    arns = {
        logical_id: _ARN_FORMATS[templates[logical_id]["Type"]].format(
            partition=partition, region=region, account=account, name=name.rpartition("/")[2]
        )
        for logical_id, name in names.items()
        if templates.get(logical_id, {}).get("Type") in _ARN_FORMATS
    }
    pseudo_parameters = {
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::AccountId": account,
        "AWS::StackId": stack_arn,
        "AWS::StackName": stack_arn.split("/")[1],
    }
    references = _References(names=pseudo_parameters | dict(names), arns=arns)
    for logical_id, name in names.items():
        if template := templates.get(logical_id):
            yield Resource(
                resource_type=template["Type"],
                physical_id=name,
                arn=arns.get(logical_id),
                properties=references.resolve(template.get("Properties", {})),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _References:
    names: Mapping[str, str] = field(repr=False)
    arns: Mapping[str, str] = field(repr=False)

    def resolve(self, value: Any) -> Any:
        """Replace references by names and ARNs, and values that only AWS knows by None."""
        match value:
            case {"Ref": str(name)}:
                return self.names.get(name)
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return self.arns.get(name)
            case {"Fn::Join": [str(separator), [*parts]]}:
                return self._join(separator, parts)
            case Mapping() if any(name.startswith("Fn::") for name in value):
                return None
            case Mapping():
                return {name: self.resolve(each) for name, each in value.items()}
            case list():
                return [self.resolve(each) for each in value]
        return value

    def _join(self, separator: str, parts: list[Any]) -> str | None:
        texts = [self.resolve(each) for each in parts]
        return separator.join(texts) if all(isinstance(each, str) for each in texts) else None
