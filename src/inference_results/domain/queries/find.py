"""Find one record by id, or up to a hundred."""

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

_MAX_RECORDS_BYTES: Final = 5_000_000
"""All records in one response, with inline outputs. Lambda's limit for a response is 6 MB."""


class Inferences(Protocol):
    """The inferences table."""

    def find(self, inference_id: str, endpoint_name: str | None = None) -> list[dict[str, Any]]:
        """The items of an id, for one endpoint or all. Raises Unavailable."""

    def find_many(
        self, inference_ids: Sequence[str], endpoint_name: str | None = None
    ) -> list[dict[str, Any]]:
        """The items of up to a hundred distinct ids, in any order. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindInference:
    """Finds one record, as docs/record.md describes it."""

    inferences: Inferences
    now: Callable[[], datetime]

    def __call__(self, inference_id: str, endpoint_name: str | None = None) -> dict[str, Any]:
        """Return the record of an id. Without an endpoint, the id must be on one endpoint only.

        Raises UnknownInference, RecordExpired, AmbiguousInference, InvalidParameter or
        Unavailable.
        """
        INFERENCE_ID.check(inference_id)
        if endpoint_name is not None:
            ENDPOINT.check(endpoint_name)
        return _only_one(self.inferences.find(inference_id, endpoint_name), self.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class FindInferences:
    """Finds the records of up to a hundred ids."""

    inferences: Inferences
    now: Callable[[], datetime]

    def __call__(
        self, inference_ids: Sequence[str], endpoint_name: str | None = None
    ) -> dict[str, Any]:
        """Return the records, and why other ids have none.

        `{"inferences": [record, ...], "missing": [{"inference_id", "reason", "endpoints"?}, ...]}`
        with the reasons `unknown`, `expired` and `ambiguous`. Raises InvalidParameter or
        Unavailable.
        """
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
            except (UnknownInference, RecordExpired, AmbiguousInference) as error:
                missing.append({"inference_id": each, **_reason(error)})
        return {"inferences": found, "missing": missing}


def limit_response_size(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop inline outputs that would make the response too large."""
    limited = []
    remaining = _MAX_RECORDS_BYTES
    for record in records:
        size = _response_bytes(record)
        if size > remaining and "inline" in record.get(Attribute.OUTPUT, {}):
            output = {name: it for name, it in record[Attribute.OUTPUT].items() if name != "inline"}
            record = record | {str(Attribute.OUTPUT): output}
            size = _response_bytes(record)
        remaining -= size
        limited.append(record)
    return limited


def _response_bytes(record: dict[str, Any]) -> int:
    """Encoded twice: a function's response is JSON with the body, also JSON, as a string."""
    return len(json.dumps(json.dumps(record)))


def _only_one(items: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    current = _prefer_ended([item for item in items if is_current(item, now)])
    match current, items:
        case [item], _:
            return to_api_record(item)
        case [], []:
            raise UnknownInference
        case [], _:
            raise RecordExpired(epoch_timestamp(max(item[Attribute.EXPIRES_AT] for item in items)))
    raise AmbiguousInference(sorted(item[Attribute.ENDPOINT_NAME] for item in current))


def _prefer_ended(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose between the records of an inference router, which has no endpoint, and its endpoint.

    The one that has ended, or the endpoint's if both ended alike. Both if they ended differently.
    See docs/decisions/0013-inference-routers.md.
    """
    routed = [item for item in items if item[Attribute.ENDPOINT_NAME] == NO_ENDPOINT]
    named = [item for item in items if item[Attribute.ENDPOINT_NAME] != NO_ENDPOINT]
    match named, routed:
        case [endpoint], [router] if not is_terminal(endpoint):
            return [router]
        case [endpoint], [router] if not is_terminal(router):
            return [endpoint]
        case [endpoint], [router] if endpoint[Attribute.STATUS] == router[Attribute.STATUS]:
            return [endpoint]
    return items


def _reason(error: UnknownInference | RecordExpired | AmbiguousInference) -> dict[str, Any]:
    match error:
        case AmbiguousInference():
            return {"reason": "ambiguous", "endpoints": error.endpoints}
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
