"""Delete dead letters, and save each one first."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from inference_results.operations.dead_letters.queues import DeadLetter


@dataclass(frozen=True, slots=True)
class MessageFile:
    """Append messages to a file as lines of JSON. Each call returns once the line is on disk."""

    file: TextIO
    to_document: Callable[[DeadLetter], Mapping[str, Any]]

    def __call__(self, message: DeadLetter) -> None:
        self.file.write(json.dumps(self.to_document(message)) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())


def delete_messages(
    messages: Iterable[DeadLetter],
    save: Callable[[DeadLetter], None] | None,
    *,
    delete: Callable[[DeadLetter], None],
) -> Iterator[DeadLetter]:
    """Save and delete messages one by one, and yield each after its deletion."""
    for message in messages:
        if save is not None:
            save(message)
        delete(message)
        yield message
