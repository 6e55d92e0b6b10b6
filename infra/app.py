"""The stacks of the CDK app."""

import aws_cdk as cdk
from constructs import Construct

from .endpoint_stack import AsyncEndpointStack
from .inference_results import InferenceResults
from .settings import Settings
from .stack_outputs import stack_outputs


class InferenceResultsStack(cdk.Stack):
    """The service and its stack outputs."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        env: cdk.Environment | None = None,
    ) -> None:
        super().__init__(scope, id, env=env)
        self.results = results = InferenceResults(self, "Results", settings=settings)
        for name, value in stack_outputs(results, settings).items():
            cdk.CfnOutput(self, name, value=value)


def add_stacks(app: cdk.App) -> InferenceResultsStack:
    """Add the main stack, and the endpoint stack if the settings describe an endpoint.

    Reads the settings from the app's context. Raises SettingsError.
    """
    settings = Settings.from_context(app.node.get_all_context())
    stack = InferenceResultsStack(app, "InferenceResults", settings=settings)
    if settings.endpoint:
        endpoint = AsyncEndpointStack(
            app,
            "AsyncEndpoint",
            results=stack.results,
            settings=settings.endpoint,
            output_key_arns=settings.output_key_arns,
        )
        endpoint.add_stack_dependency(stack)
    return stack
