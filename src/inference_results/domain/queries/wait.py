"""The use cases of waiting: asking again until the end is reached or the time is over.

Both `clock` and `sleep` count in seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from inference_results.contract import Attribute
from inference_results.domain.queries.find import FindInference, FindInferences, within_limit
from inference_results.domain.record.errors import Unavailable, UnknownInference
from inference_results.domain.record.parameters import WAIT
from inference_results.domain.record.view import is_terminal

_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Polling:
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def _rounds(self, seconds: float) -> Iterator[None]:
        """Yields at once, after pauses that grow, and for the last time when the time is over.

        A round that outlasts the time is the last one.
        """
        end = self.clock() + WAIT.check(seconds)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            yield
            left = end - self.clock()
            if left <= 0:
                return
            self.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForInference(_Polling):
    """One inference. A result may come before anything is known, so an unknown id is awaited.

    Throttling is waited through as well.
    """

    find: FindInference

    def __call__(
        self, inference_id: str, endpoint_name: str | None = None, seconds: float = 0
    ) -> dict[str, Any]:
        """The record, in the end as it stands. Raises what `find` raises."""
        for _ in self._rounds(seconds):
            found: dict[str, Any] | UnknownInference | Unavailable
            try:
                found = self.find(inference_id, endpoint_name)
            except (UnknownInference, Unavailable) as why:
                found = why
            else:
                if is_terminal(found):
                    break
        if isinstance(found, Exception):
            raise found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForInferences(_Polling):
    """Up to a hundred inferences, until all of them have ended.

    Outputs that make the answer too large are left out of their records; asked for one by one they
    are there.
    """

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
        for _ in self._rounds(seconds):
            try:
                answer = self.find(pending, endpoint_name)
            except Unavailable as why:
                trouble: Unavailable | None = why
                continue
            trouble = None
            ended += [each for each in answer["inferences"] if is_terminal(each)]
            out_of_reach += [each for each in answer["missing"] if each["reason"] != "unknown"]
            going_on = [each for each in answer["inferences"] if not is_terminal(each)]
            unknown = [each for each in answer["missing"] if each["reason"] == "unknown"]
            pending = [each[Attribute.INFERENCE_ID] for each in (*going_on, *unknown)]
            if not pending:
                break
        if trouble:
            raise trouble
        inferences = within_limit([*ended, *going_on])
        return {"inferences": inferences, "missing": [*out_of_reach, *unknown]}
