"""The use cases: what became of inference X, and of these hundred?"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from inference_results.contract import Attribute
from inference_results.domain.record.errors import (
    AmbiguousInference,
    InvalidParameter,
    RecordExpired,
    UnknownInference,
)
from inference_results.domain.record.parameters import ENDPOINT, INFERENCE_ID, MAX_BATCH
from inference_results.domain.record.result import NO_ENDPOINT
from inference_results.domain.record.view import (
    epoch_timestamp,
    is_current,
    is_terminal,
    to_api_record,
)

_MOST_BYTES: Final = 5_000_000
"""Of all records in one answer, with their outputs: a function may answer with 6 MB."""


class Inferences(Protocol):
    """The table, as it is asked by key."""

    def find(self, inference_id: str, endpoint_name: str | None = None) -> list[dict[str, Any]]:
        """The items of an id, on one endpoint or on all. Raises Unavailable."""

    def find_many(
        self, inference_ids: Sequence[str], endpoint_name: str | None = None
    ) -> list[dict[str, Any]]:
        """The items of at most a hundred different ids, in any order. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindInference:
    """Answers with one record, in the shape that docs/record.md describes."""

    inferences: Inferences
    now: Callable[[], datetime]

    def __call__(self, inference_id: str, endpoint_name: str | None = None) -> dict[str, Any]:
        """Raises InvalidParameter, Unavailable, and what keeps one record from being chosen:

        UnknownInference, RecordExpired or AmbiguousInference.
        """
        INFERENCE_ID.check(inference_id)
        if endpoint_name is not None:
            ENDPOINT.check(endpoint_name)
        return _only_one(self.inferences.find(inference_id, endpoint_name), self.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class FindInferences:
    """Answers with the records of up to a hundred ids, and why the others have none.

    `{"inferences": [record, ...], "missing": [{"inference_id", "reason", "endpoints"?}, ...]}`;
    a reason is `unknown`, `expired` or `ambiguous`.
    """

    inferences: Inferences
    now: Callable[[], datetime]

    def __call__(
        self, inference_ids: Sequence[str], endpoint_name: str | None = None
    ) -> dict[str, Any]:
        """Raises InvalidParameter or Unavailable."""
        ids = _checked_ids(inference_ids)
        if endpoint_name is not None:
            ENDPOINT.check(endpoint_name)
        items: dict[str, list[dict[str, Any]]] = {each: [] for each in ids}
        for item in self.inferences.find_many(ids, endpoint_name):
            items[item[Attribute.INFERENCE_ID]].append(item)
        now = self.now()
        found: list[dict[str, Any]] = []
        missing: list[dict[str, Any]] = []
        for each, candidates in items.items():
            try:
                found.append(_only_one(candidates, now))
            except (UnknownInference, RecordExpired, AmbiguousInference) as why:
                missing.append({"inference_id": each, **_reason(why)})
        return {"inferences": found, "missing": missing}


def within_limit(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, without their outputs where those would make the answer too large."""
    kept = []
    room = _MOST_BYTES
    for record in records:
        size = _bytes_in_answer(record)
        if size > room and "inline" in record.get(Attribute.OUTPUT, {}):
            output = {name: it for name, it in record[Attribute.OUTPUT].items() if name != "inline"}
            record = record | {str(Attribute.OUTPUT): output}
            size = _bytes_in_answer(record)
        room -= size
        kept.append(record)
    return kept


def _bytes_in_answer(record: dict[str, Any]) -> int:
    """A function's answer is JSON that holds the body, which is JSON, as a text."""
    return len(json.dumps(json.dumps(record)))


def _only_one(items: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    current = _without_routers([item for item in items if is_current(item, now)])
    match current, items:
        case [item], _:
            return to_api_record(item)
        case [], []:
            raise UnknownInference
        case [], _:
            raise RecordExpired(epoch_timestamp(max(item[Attribute.EXPIRES_AT] for item in items)))
    raise AmbiguousInference(sorted(item[Attribute.ENDPOINT_NAME] for item in current))


def _without_routers(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of the two records that a router's event and its endpoint's leave of one invocation.

    The router's names no endpoint. That of the endpoint tells more, unless only the router's has
    ended. Where they ended differently, whoever asks must choose.
    """
    routed = [item for item in items if item[Attribute.ENDPOINT_NAME] == NO_ENDPOINT]
    named = [item for item in items if item[Attribute.ENDPOINT_NAME] != NO_ENDPOINT]
    match named, routed:
        case [one], [other] if not is_terminal(one):
            return [other]
        case [one], [other] if not is_terminal(other):
            return [one]
        case [one], [other] if one[Attribute.STATUS] == other[Attribute.STATUS]:
            return [one]
    return items


def _reason(why: UnknownInference | RecordExpired | AmbiguousInference) -> dict[str, Any]:
    match why:
        case AmbiguousInference():
            return {"reason": "ambiguous", "endpoints": why.endpoints}
        case RecordExpired():
            return {"reason": "expired"}
    return {"reason": "unknown"}


def _checked_ids(inference_ids: Any) -> list[str]:
    expected = f"a list of 1 to {MAX_BATCH} ids"
    if not isinstance(inference_ids, Sequence) or isinstance(inference_ids, str):
        raise InvalidParameter("inference_ids", expected)
    if not 1 <= len(inference_ids) <= MAX_BATCH:
        raise InvalidParameter("inference_ids", expected)
    return list(dict.fromkeys(map(INFERENCE_ID.check, inference_ids)))
