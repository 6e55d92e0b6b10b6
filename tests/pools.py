"""Pools that do what they are given at once, in the calling thread."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import Any


class InlinePool(Executor):
    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        return map(fn, *iterables)
