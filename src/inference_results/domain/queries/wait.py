"""Wait for inferences to end: poll the table until they have, or until time is over.

`clock` and `sleep` are in seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from inference_results.contract import Attribute
from inference_results.domain.queries.find import FindInference, FindInferences, limit_response_size
from inference_results.domain.record.errors import Unavailable, UnknownInference
from inference_results.domain.record.parameters import WAIT
from inference_results.domain.record.view import is_terminal

_FIRST_DELAY_SECONDS: Final = 0.25
_MAX_DELAY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Polling:
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def _rounds(self, seconds: float) -> Iterator[None]:
        """Yield at once, then after growing delays, and last when the time is over.

        A round that ends after the time is over is the last one.
        """
        end = self.clock() + WAIT.check(seconds)
        delay = _FIRST_DELAY_SECONDS
        while True:
            yield
            remaining = end - self.clock()
            if remaining <= 0:
                return
            self.sleep(min(delay, remaining))
            delay = min(delay * 1.5, _MAX_DELAY_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForInference(_Polling):
    """Waits for one inference, also while its id is unknown or the table is unavailable."""

    find: FindInference

    def __call__(
        self, inference_id: str, endpoint_name: str | None = None, seconds: float = 0
    ) -> dict[str, Any]:
        """Return the record when the inference has ended, or as it is after `seconds`.

        Raises what `find` raises.
        """
        for _ in self._rounds(seconds):
            found: dict[str, Any] | UnknownInference | Unavailable
            try:
                found = self.find(inference_id, endpoint_name)
            except (UnknownInference, Unavailable) as error:
                found = error
            else:
                if is_terminal(found):
                    break
        if isinstance(found, Exception):
            raise found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForInferences(_Polling):
    """Waits for up to a hundred inferences, until all of them have ended."""

    find: FindInferences

    def __call__(
        self,
        inference_ids: Sequence[str],
        endpoint_name: str | None = None,
        seconds: float = 0,
    ) -> dict[str, Any]:
        """Return what FindInferences returns, when all have ended or after `seconds`.

        Drops inline outputs that would make the response too large; finding those records one by
        one returns them. Raises what `find` raises.
        """
        ended: list[dict[str, Any]] = []
        missing: list[dict[str, Any]] = []
        pending = inference_ids
        for _ in self._rounds(seconds):
            try:
                found = self.find(pending, endpoint_name)
            except Unavailable as caught:
                error: Unavailable | None = caught
                continue
            error = None
            ended += [each for each in found["inferences"] if is_terminal(each)]
            missing += [each for each in found["missing"] if each["reason"] != "unknown"]
            in_progress = [each for each in found["inferences"] if not is_terminal(each)]
            unknown = [each for each in found["missing"] if each["reason"] == "unknown"]
            pending = [each[Attribute.INFERENCE_ID] for each in (*in_progress, *unknown)]
            if not pending:
                break
        if error:
            raise error
        inferences = limit_response_size([*ended, *in_progress])
        return {"inferences": inferences, "missing": [*missing, *unknown]}
