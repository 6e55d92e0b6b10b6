"""Which route the letters of a queue take."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from inference_results.contract import StackOutput
from inference_results.operations.dead_letters.notifications import (
    NotificationRedrive,
    topic_of_queue,
)
from inference_results.operations.dead_letters.queues import MessageQueue, QueueName, queue_url
from inference_results.operations.dead_letters.redrive import RedrivePath
from inference_results.operations.dead_letters.stream_batches import (
    Function,
    InvokePublishEvents,
    InvokeSummarize,
    StreamRedrive,
)
from inference_results.operations.stack import Stack

_UNCOUNTED: Final = "the summaries of its days lack it; the records are right: count with `list`"
_UNTOLD: Final = "`list --since` that time shows how the records stand: tell whom it concerns"

_SECONDS: Final = 60
_SECONDS_OF_A_PART: Final = 900
"""Its function may be invoked ten times, for half a minute each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """A queue by its name, and where its letters go."""

    name: QueueName
    messages: MessageQueue
    route: RedrivePath
    seconds_of_one: int
    """What it may take to redrive a letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueues:
    """Those of a stack, by clients of boto3."""

    stack: Stack
    sqs: Any
    sns: Any
    streams: Any
    lambda_: Any

    def __getitem__(self, name: QueueName) -> DeadLetterQueue:
        """Raises InvalidRequest if the stack has no such queue."""
        of_stream = name in (QueueName.SUMMARIES, QueueName.EVENTS)
        return DeadLetterQueue(
            name=name,
            messages=MessageQueue(self.sqs, queue_url(self.stack, name)),
            route=self._route(name),
            seconds_of_one=_SECONDS_OF_A_PART if of_stream else _SECONDS,
        )

    def _route(self, name: QueueName) -> RedrivePath:
        if name is QueueName.SUMMARIES:
            function = Function(self.lambda_, self.stack[StackOutput.SUMMARIZE_FUNCTION_NAME])
            return self._stream_route(InvokeSummarize(function), _UNCOUNTED)
        if name is QueueName.EVENTS:
            function = Function(self.lambda_, self.stack[StackOutput.PUBLISH_EVENTS_FUNCTION_NAME])
            return self._stream_route(InvokePublishEvents(function, time.sleep), _UNTOLD)
        return NotificationRedrive(self.sns, topic_of_queue(self.stack, name))

    def _stream_route(
        self, invoke: InvokeSummarize | InvokePublishEvents, instead: str
    ) -> StreamRedrive:
        return StreamRedrive(
            streams=self.streams,
            table_name=self.stack[StackOutput.TABLE_NAME],
            invoke=invoke,
            now=partial(datetime.now, UTC),
            instead=instead,
        )
