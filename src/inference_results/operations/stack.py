"""What a deployed stack of this service says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import ClientError

from inference_results.client.errors import InvalidRequest
from inference_results.client.transports.aws_errors import is_validation_error, translate_aws_errors
from inference_results.contract import StackOutput


@dataclass(frozen=True, slots=True)
class Stack:
    """The outputs of a stack by name, and how it stands: CloudFormation's words."""

    name: str
    outputs: Mapping[str, str]
    arn: str
    status: str
    reason: str | None = None

    @classmethod
    def described(cls, cloudformation: Any, name: str) -> Self:
        """By a CloudFormation client of boto3. Raises InvalidRequest if there is no such stack."""
        with translate_aws_errors("cloudformation"):
            try:
                answer = cloudformation.describe_stacks(StackName=name)
            except ClientError as error:
                if is_validation_error(error):
                    raise InvalidRequest(f"there is no stack {name}", "stack") from error
                raise
        (stack,) = answer["Stacks"]
        outputs = stack.get("Outputs", [])
        return cls(
            name,
            {each["OutputKey"]: each["OutputValue"] for each in outputs},
            arn=stack["StackId"],
            status=stack["StackStatus"],
            reason=stack.get("StackStatusReason"),
        )

    def __getitem__(self, output: StackOutput) -> str:
        """Raises InvalidRequest if the stack has no such output: it is another's, or older."""
        try:
            return self.outputs[output]
        except KeyError as error:
            raise InvalidRequest(f"{self.name} has no output {output}", "stack") from error

    @property
    def topics(self) -> tuple[str, str]:
        """ARNs of SuccessTopic and ErrorTopic."""
        return self[StackOutput.SUCCESS_TOPIC_ARN], self[StackOutput.ERROR_TOPIC_ARN]
