"""The outputs of the main stack, which operators' commands and tests read."""

from inference_results.contract import StackOutput

from .event_publisher import EventPublisher
from .inference_results import InferenceResults
from .result_channel import ResultChannel
from .settings import Settings


def stack_outputs(results: InferenceResults, settings: Settings) -> dict[StackOutput, str]:
    """Return the outputs of the parts that exist, by name."""
    outputs = {
        **_channel_outputs(results.completed, results.failed),
        StackOutput.UNPROCESSABLE_QUEUE_URL: results.unprocessable_queue.queue_url,
        StackOutput.TABLE_NAME: results.table.table_name,
        StackOutput.SHARDS: str(settings.shards),
        StackOutput.SUMMARIES_TABLE_NAME: results.summaries_table.table_name,
        StackOutput.SUMMARY_DEAD_LETTER_QUEUE_URL: results.summarizer.dead_letter_queue.queue_url,
        StackOutput.SUMMARIZE_FUNCTION_NAME: results.summarizer.handler.function.function_name,
        StackOutput.RECONCILE_FUNCTION_NAME: results.reconciler.handler.function.function_name,
    }
    if results.event_publisher:
        outputs |= _event_outputs(results.event_publisher)
    if results.alarms:
        outputs[StackOutput.ALARM_TOPIC_ARN] = results.alarms.topic.topic_arn
    if results.api:
        outputs[StackOutput.API_URL] = results.api.api.api_endpoint
    return outputs


def _channel_outputs(completed: ResultChannel, failed: ResultChannel) -> dict[StackOutput, str]:
    return {
        StackOutput.SUCCESS_TOPIC_ARN: completed.topic.topic_arn,
        StackOutput.ERROR_TOPIC_ARN: failed.topic.topic_arn,
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
    }


def _event_outputs(publisher: EventPublisher) -> dict[StackOutput, str]:
    return {
        StackOutput.EVENT_BUS_ARN: publisher.bus.event_bus_arn,
        StackOutput.EVENT_DEAD_LETTER_QUEUE_URL: publisher.dead_letter_queue.queue_url,
        StackOutput.PUBLISH_EVENTS_FUNCTION_NAME: publisher.handler.function.function_name,
    }
