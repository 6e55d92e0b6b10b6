"""Simulate CloudFormation's responses for a stack with a synthesised template."""

from functools import cache

from inference_results.operations.doctor.deployment import Deployment
from tests.support.synthesis import synthesised

ACCOUNT = "123456789012"
REGION_AND_ACCOUNT = f"eu-west-1:{ACCOUNT}"
STACK = "InferenceResults"
STACK_ID = f"arn:aws:cloudformation:{REGION_AND_ACCOUNT}:stack/{STACK}/1f2e"


class SimulatedCloudFormation:
    """A client for one stack. Physical ids are derived from logical ids."""

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
            # A resource that was never created has no physical id.
            {"StackResourceSummaries": [*summaries[half:], {"LogicalResourceId": "Never"}]},
        ]


def physical_id(logical_id, resource_type):
    match resource_type:
        case "AWS::SQS::Queue":
            return f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{STACK}-{logical_id}"
        case "AWS::SNS::Topic":
            return f"arn:aws:sns:{REGION_AND_ACCOUNT}:{STACK}-{logical_id}-1A2B3C"
    return f"{STACK}-{logical_id}"


@cache
def template_for(variant, **settings):
    return synthesised(variant, **settings)[STACK]


def simulate_deployment(variant="default", outputs=(), **settings):
    cloudformation = SimulatedCloudFormation(template_for(variant, **settings), outputs)
    return Deployment.read(cloudformation, STACK)
