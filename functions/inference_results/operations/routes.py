"""Which route the letters of a queue take."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from inference_results.contract import StackOutput
from inference_results.operations.dead_letters import MessageQueue, QueueName, queue_url
from inference_results.operations.notification_route import NotificationRoute, topic_of_queue
from inference_results.operations.redriving import Route
from inference_results.operations.stack import Stack
from inference_results.operations.stream_route import (
    Announcing,
    Function,
    StreamRoute,
    Summarizing,
)

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
    route: Route
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
        of_stream = name in (QueueName.SUMMARIES, QueueName.ANNOUNCEMENTS)
        return DeadLetterQueue(
            name=name,
            messages=MessageQueue(self.sqs, queue_url(self.stack, name)),
            route=self._route(name),
            seconds_of_one=_SECONDS_OF_A_PART if of_stream else _SECONDS,
        )

    def _route(self, name: QueueName) -> Route:
        if name is QueueName.SUMMARIES:
            function = Function(self.lambda_, self.stack[StackOutput.SUMMARIZE_FUNCTION_NAME])
            return self._stream_route(Summarizing(function), _UNCOUNTED)
        if name is QueueName.ANNOUNCEMENTS:
            function = Function(self.lambda_, self.stack[StackOutput.ANNOUNCE_FUNCTION_NAME])
            return self._stream_route(Announcing(function, time.sleep), _UNTOLD)
        return NotificationRoute(self.sns, topic_of_queue(self.stack, name))

    def _stream_route(self, invoke: Summarizing | Announcing, instead: str) -> StreamRoute:
        return StreamRoute(
            streams=self.streams,
            table_name=self.stack[StackOutput.TABLE_NAME],
            invoke=invoke,
            now=partial(datetime.now, UTC),
            instead=instead,
        )
