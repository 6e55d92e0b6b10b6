"""The stacks of the CDK app."""

import aws_cdk as cdk
from constructs import Construct

from inference_results.contract import StackOutput

from .endpoint_stack import AsyncEndpointStack
from .inference_results import InferenceResults
from .settings import Settings


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
        completed, failed = results.completed, results.failed
        outputs = {
            StackOutput.SUCCESS_TOPIC_ARN: completed.topic.topic_arn,
            StackOutput.ERROR_TOPIC_ARN: failed.topic.topic_arn,
            StackOutput.TABLE_NAME: results.table.table_name,
            StackOutput.SHARDS: str(settings.shards),
            StackOutput.SUMMARIES_TABLE_NAME: results.summaries_table.table_name,
            StackOutput.SUMMARY_DEAD_LETTER_QUEUE_URL: (
                results.summarizer.dead_letter_queue.queue_url
            ),
            StackOutput.COMPLETED_QUEUE_URL: completed.queue.queue_url,
            StackOutput.FAILED_QUEUE_URL: failed.queue.queue_url,
            StackOutput.COMPLETED_DEAD_LETTER_QUEUE_URL: completed.dead_letter_queue.queue_url,
            StackOutput.FAILED_DEAD_LETTER_QUEUE_URL: failed.dead_letter_queue.queue_url,
            StackOutput.COMPLETED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL: (
                completed.subscription_dead_letter_queue.queue_url
            ),
            StackOutput.FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL: (
                failed.subscription_dead_letter_queue.queue_url
            ),
            StackOutput.RECONCILE_FUNCTION_NAME: results.reconciler.function.function_name,
            StackOutput.SUMMARIZE_FUNCTION_NAME: results.summarizer.function.function_name,
            StackOutput.UNPROCESSABLE_QUEUE_URL: results.unprocessable_queue.queue_url,
        }
        if results.alarms:
            outputs[StackOutput.ALARM_TOPIC_ARN] = results.alarms.topic.topic_arn
        if results.event_publisher:
            outputs[StackOutput.EVENT_BUS_ARN] = results.event_publisher.bus.event_bus_arn
            outputs[StackOutput.EVENT_DEAD_LETTER_QUEUE_URL] = (
                results.event_publisher.dead_letter_queue.queue_url
            )
            outputs[StackOutput.PUBLISH_EVENTS_FUNCTION_NAME] = (
                results.event_publisher.function.function_name
            )
        if results.api:
            outputs[StackOutput.API_URL] = results.api.api.api_endpoint
        for name, value in outputs.items():
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
