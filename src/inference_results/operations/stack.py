"""Read a deployed stack of this service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import ClientError

from inference_results.client.errors import InvalidRequest
from inference_results.client.transports.aws_errors import is_validation_error, translate_aws_errors
from inference_results.contract import StackOutput


@dataclass(frozen=True, slots=True)
class Stack:
    """A CloudFormation stack. `outputs` are by name; `status` and `reason` are CloudFormation's."""

    name: str
    outputs: Mapping[str, str]
    arn: str
    status: str
    reason: str | None = None

    @classmethod
    def read(cls, cloudformation: Any, name: str) -> Self:
        """Read a stack with a boto3 client. Raises InvalidRequest if it does not exist."""
        with translate_aws_errors("cloudformation"):
            try:
                response = cloudformation.describe_stacks(StackName=name)
            except ClientError as error:
                if is_validation_error(error):
                    raise InvalidRequest(
                        f"no stack named {name} in this account and region", "stack"
                    ) from error
                raise
        (stack,) = response["Stacks"]
        outputs = stack.get("Outputs", [])
        return cls(
            name,
            {output["OutputKey"]: output["OutputValue"] for output in outputs},
            arn=stack["StackId"],
            status=stack["StackStatus"],
            reason=stack.get("StackStatusReason"),
        )

    def __getitem__(self, output: StackOutput) -> str:
        """Return the output's value. Raises InvalidRequest if the stack does not have it."""
        try:
            return self.outputs[output]
        except KeyError as error:
            raise InvalidRequest(
                f"{self.name} has no output {output}: the stack is another app's or of another"
                " version, or the feature is turned off",
                "stack",
            ) from error

    @property
    def topics(self) -> tuple[str, str]:
        """The ARNs of SuccessTopic and ErrorTopic."""
        return self[StackOutput.SUCCESS_TOPIC_ARN], self[StackOutput.ERROR_TOPIC_ARN]
