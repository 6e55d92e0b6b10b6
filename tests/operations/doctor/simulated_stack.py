"""CloudFormation's answers on a stack of a synthesised template."""

from functools import cache

from inference_results.operations.doctor.deployment import Deployment
from tests.synthesis import synthesised

ACCOUNT = "123456789012"
PLACE = f"eu-west-1:{ACCOUNT}"
STACK = "InferenceResults"
STACK_ID = f"arn:aws:cloudformation:{PLACE}:stack/{STACK}/1f2e"


class PretendCloudFormation:
    """`outputs` are given where a test needs them; names of resources follow from logical ids."""

    def __init__(self, template, outputs=(), status="CREATE_COMPLETE", reason=None):
        self.template = self.body = template
        self.stack = {
            "StackId": STACK_ID,
            "StackStatus": status,
            "Outputs": [
                {"OutputKey": str(key), "OutputValue": value}
                for key, value in dict(outputs).items()
            ],
            **({"StackStatusReason": reason} if reason else {}),
        }

    def describe_stacks(self, StackName):  # noqa: N803 - boto3's own name
        return {"Stacks": [self.stack]}

    def get_template(self, StackName, TemplateStage):  # noqa: N803
        """One in YAML would come as a text."""
        return {"TemplateBody": self.body}

    def get_paginator(self, operation):
        assert operation == "list_stack_resources"
        return self

    def paginate(self, StackName):  # noqa: N803
        summaries = [
            {"LogicalResourceId": name, "PhysicalResourceId": physical_id(name, each["Type"])}
            for name, each in self.template["Resources"].items()
        ]
        half = len(summaries) // 2
        return [
            {"StackResourceSummaries": summaries[:half]},
            # One that could not be created has no physical id.
            {"StackResourceSummaries": [*summaries[half:], {"LogicalResourceId": "Never"}]},
        ]


def physical_id(logical_id, kind):
    match kind:
        case "AWS::SQS::Queue":
            return f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{STACK}-{logical_id}"
        case "AWS::SNS::Topic":
            return f"arn:aws:sns:{PLACE}:{STACK}-{logical_id}-1A2B3C"
    return f"{STACK}-{logical_id}"


@cache
def template_of(variant, **settings):
    return synthesised(variant, **settings)[STACK]


def deployment_of(variant="default", outputs=(), **settings):
    cloudformation = PretendCloudFormation(template_of(variant, **settings), outputs)
    return Deployment.read(cloudformation, STACK)
