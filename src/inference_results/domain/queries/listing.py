"""The use case: which inferences ended lately, on this endpoint or with that status?"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, Protocol

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from inference_results.contract import LISTED_ATTRIBUTES, Attribute, Index, Status
from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.parameters import (
    CURSOR,
    ENDPOINT,
    LIMIT,
    SINCE,
    STATUS,
    UNTIL,
    TextParameter,
)
from inference_results.domain.record.timestamps import parse_timestamp
from inference_results.domain.record.view import is_current, to_api_record

_CURSOR_SECONDS: Final = 24 * 60 * 60


_READ_PER_LISTED: Final = 20
"""How many items are read for each one requested before a partly filled page is returned."""

_STATUSES: Final = {status.casefold(): status for status in Status}


class Listing(Protocol):
    """The table, as it is listed."""

    def newest(
        self, index: Index, of: str, *, since: str | None, before: str | None, page_size: int
    ) -> Iterator[dict[str, Any]]:
        """Items below a key of an index by falling sort key, from `since` on and below `before`.

        Reads pages as they are needed, the first of every shard at once. Raises Unavailable.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInferences:
    """Answers with a page, newest first: `{"inferences": [record, ...], "next_cursor"?}`.

    A cursor holds a place in the order, never a question: it is good for the question that it came
    from, which it is signed for with `cursor_key`.
    """

    inferences: Listing
    now: Callable[[], datetime]
    cursor_key: bytes

    def __call__(
        self,
        *,
        endpoint_name: str | None = None,
        status: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int = LIMIT.default,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """`since` is included, `until` is not. Raises InvalidParameter or Unavailable."""
        if endpoint_name is not None:
            ENDPOINT.check(endpoint_name)
        status = _checked_status(status)
        since, until = _checked_range(since, until)
        LIMIT.check(limit)
        index, of, sort = _way(endpoint_name, status)
        signer = self._signer(endpoint_name, status, since, until)
        items = self.inferences.newest(
            index,
            of,
            since=since,
            before=until if cursor is None else _place(signer, cursor),
            page_size=limit + 1,
        )
        now = self.now()
        page: list[dict[str, Any]] = []
        last = None
        for item in islice(items, limit * _READ_PER_LISTED):
            if len(page) == limit:
                return {"inferences": page, "next_cursor": signer.dumps(last)}
            last = item[sort]
            if is_current(item, now) and status in (None, item[Attribute.STATUS]):
                page.append(_listed(item))
        if next(items, None) is not None:
            return {"inferences": page, "next_cursor": signer.dumps(last)}
        return {"inferences": page}

    def _signer(self, *question: str | None) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.cursor_key, salt=json.dumps(question))


def _way(endpoint_name: str | None, status: str | None) -> tuple[Index, str, Attribute]:
    """The index to read, the key below which to read it, and the attribute it is sorted by.

    Completed records are in one index only, among the others of their endpoint.
    """
    if status in (None, Status.COMPLETED):
        if endpoint_name is None:
            raise InvalidParameter("endpoint", "an endpoint, unless status is one but Completed")
        return Index.BY_ENDPOINT, endpoint_name, Attribute.ENDPOINT_SORT
    if endpoint_name is None:
        return Index.BY_STATUS, status, Attribute.STATUS_SORT
    of = endpoint_and_status(endpoint_name, status)
    return Index.BY_ENDPOINT_AND_STATUS, of, Attribute.STATUS_SORT


def endpoint_and_status(endpoint_name: str, status: str) -> str:
    """The key for one endpoint's records of one status. Endpoint names contain no `#`."""
    return f"{endpoint_name}#{status}"


def _place(signer: URLSafeTimedSerializer, cursor: str) -> str:
    try:
        place = signer.loads(CURSOR.check(cursor), max_age=_CURSOR_SECONDS)
    except SignatureExpired:
        raise InvalidParameter(CURSOR.name, "one at most a day old: begin anew") from None
    except BadSignature:
        expected = "the next_cursor of this same question, unchanged"
        raise InvalidParameter(CURSOR.name, expected) from None
    return str(place)


def _checked_status(status: str | None) -> str | None:
    if status is None:
        return None
    try:
        return _STATUSES[STATUS.check(status).casefold()]
    except KeyError:
        raise InvalidParameter(STATUS.name, f"one of {', '.join(Status)}") from None


def _checked_range(since: str | None, until: str | None) -> tuple[str | None, str | None]:
    since, until = _checked_time(SINCE, since), _checked_time(UNTIL, until)
    if since and until and since >= until:
        raise InvalidParameter(SINCE.name, "a time before until")
    return since, until


def _checked_time(parameter: TextParameter, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return parse_timestamp(parameter.check(text))
    except ValueError:
        expected = "an ISO 8601 time with an offset, like 2026-01-25T12:00:00Z"
        raise InvalidParameter(parameter.name, expected) from None


def _listed(item: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in to_api_record(item).items() if name in LISTED_ATTRIBUTES}
