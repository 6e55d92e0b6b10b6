"""Deleting letters, each after it was saved."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from inference_results.operations.dead_letters.queues import DeadLetter


@dataclass(frozen=True, slots=True)
class MessageFile:
    """Writes a letter to a file as a line of JSON, and returns when the disk has it."""

    file: TextIO
    document: Callable[[DeadLetter], Mapping[str, Any]]

    def __call__(self, letter: DeadLetter) -> None:
        self.file.write(json.dumps(self.document(letter)) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())


def delete_messages(
    letters: Iterable[DeadLetter],
    save: Callable[[DeadLetter], None] | None,
    *,
    delete: Callable[[DeadLetter], None],
) -> Iterator[DeadLetter]:
    """Each letter as soon as it is gone."""
    for letter in letters:
        if save is not None:
            save(letter)
        delete(letter)
        yield letter
