"""The dead-letter queues of a stack, and how to redrive the messages of each."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from inference_results.contract import StackOutput
from inference_results.operations.dead_letters.notifications import (
    NotificationRedriver,
    topic_finder,
)
from inference_results.operations.dead_letters.queues import MessageQueue, QueueName, queue_url
from inference_results.operations.dead_letters.redrive import Redriver
from inference_results.operations.dead_letters.stream_batches import (
    InvokePublishEvents,
    InvokeSummarize,
    LambdaFunction,
    StreamBatchRedriver,
)
from inference_results.operations.stack import Stack

_NOT_COUNTED: Final = (
    "the summaries lack these changes, but the records are correct: count them with `list`"
)
_NOT_PUBLISHED: Final = (
    "no event was published: find the records with `list --since`, and inform their consumers"
)

_NOTIFICATION_SECONDS: Final = 60
_STREAM_BATCH_SECONDS: Final = 900
"""Up to ten invocations of the function, with 30 seconds each, and pauses between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """A queue and how to redrive its messages."""

    name: QueueName
    messages: MessageQueue
    redriver: Redriver
    seconds_per_message: int
    """How long the redrive of one message can take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueues:
    """The dead-letter queues of a stack by name. The clients are boto3's."""

    stack: Stack
    sqs: Any
    sns: Any
    streams: Any
    lambda_: Any

    def __getitem__(self, name: QueueName) -> DeadLetterQueue:
        """Return a queue. Raises InvalidRequest if the stack does not have it."""
        has_stream_batches = name in (QueueName.SUMMARIES, QueueName.EVENTS)
        return DeadLetterQueue(
            name=name,
            messages=MessageQueue(self.sqs, queue_url(self.stack, name)),
            redriver=self._redriver(name),
            seconds_per_message=(
                _STREAM_BATCH_SECONDS if has_stream_batches else _NOTIFICATION_SECONDS
            ),
        )

    def _redriver(self, name: QueueName) -> Redriver:
        if name is QueueName.SUMMARIES:
            summarize = self._function(StackOutput.SUMMARIZE_FUNCTION_NAME)
            return self._stream_batch_redriver(InvokeSummarize(summarize), _NOT_COUNTED)
        if name is QueueName.EVENTS:
            publish_events = self._function(StackOutput.PUBLISH_EVENTS_FUNCTION_NAME)
            invoke = InvokePublishEvents(publish_events, time.sleep)
            return self._stream_batch_redriver(invoke, _NOT_PUBLISHED)
        return NotificationRedriver(self.sns, topic_finder(self.stack, name))

    def _function(self, output: StackOutput) -> LambdaFunction:
        return LambdaFunction(self.lambda_, self.stack[output])

    def _stream_batch_redriver(
        self, invoke: InvokeSummarize | InvokePublishEvents, advice_if_expired: str
    ) -> StreamBatchRedriver:
        return StreamBatchRedriver(
            streams=self.streams,
            table_name=self.stack[StackOutput.TABLE_NAME],
            invoke=invoke,
            now=partial(datetime.now, UTC),
            advice_if_expired=advice_if_expired,
        )
