"""The topics of a deployed stack of this service."""

from typing import Any

from botocore.exceptions import ClientError

from inference_results.client.errors import InvalidRequest
from inference_results.client.refusals import says_invalid, translated
from inference_results.contract import StackOutput


def topics_of_stack(cloudformation: Any, stack_name: str) -> tuple[str, str]:
    """ARNs of SuccessTopic and ErrorTopic, by a CloudFormation client of boto3.

    Raises InvalidRequest if there is no such stack, or it is another.
    """
    with translated("cloudformation"):
        try:
            answer = cloudformation.describe_stacks(StackName=stack_name)
        except ClientError as error:
            if says_invalid(error):
                raise InvalidRequest(f"there is no stack {stack_name}", "stack") from error
            raise
    (stack,) = answer["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    try:
        return outputs[StackOutput.SUCCESS_TOPIC_ARN], outputs[StackOutput.ERROR_TOPIC_ARN]
    except KeyError as error:
        raise InvalidRequest(f"{stack_name} has no output {error.args[0]}", "stack") from error
