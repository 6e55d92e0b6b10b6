"""The use cases of waiting: asking again until the end is reached or the time is over.

Both `clock` and `sleep` count in seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from inference_results.contract import Attribute
from inference_results.domain.errors import UnknownInference
from inference_results.domain.lookup import FindInference, FindInferences, is_terminal
from inference_results.domain.parameters import WAIT

_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patience:
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def _rounds(self, seconds: float) -> Iterator[bool]:
        """Yields at once, and then after pauses that grow; True on the last round."""
        end = self.clock() + WAIT.check(seconds)
        pause = _FIRST_PAUSE_SECONDS
        while (left := end - self.clock()) > 0:
            yield False
            self.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        yield True


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitInference(_Patience):
    """One inference. A result may come before anything is known, so an unknown id is awaited."""

    find: FindInference

    def __call__(
        self, inference_id: str, endpoint_name: str | None = None, seconds: float = 0
    ) -> dict[str, Any]:
        """The record, in the end as it stands. Raises what `find` raises."""
        for last in self._rounds(seconds):
            try:
                record = self.find(inference_id, endpoint_name)
            except UnknownInference:
                if last:
                    raise
                continue
            if last or is_terminal(record):
                break
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitInferences(_Patience):
    """Up to a hundred inferences, until all of them have ended."""

    find: FindInferences

    def __call__(
        self,
        inference_ids: Sequence[str],
        endpoint_name: str | None = None,
        seconds: float = 0,
    ) -> dict[str, Any]:
        """In the shape of FindInferences. Raises what `find` raises."""
        ended: list[dict[str, Any]] = []
        out_of_reach: list[dict[str, Any]] = []
        pending = inference_ids
        for last in self._rounds(seconds):
            answer = self.find(pending, endpoint_name)
            going_on: list[str] = []
            for record in answer["inferences"]:
                if last or is_terminal(record):
                    ended.append(record)
                else:
                    going_on.append(record[Attribute.INFERENCE_ID])
            for each in answer["missing"]:
                if last or each["reason"] != "unknown":
                    out_of_reach.append(each)
                else:
                    going_on.append(each["inference_id"])
            if not going_on:
                break
            pending = going_on
        return {"inferences": ended, "missing": out_of_reach}
