"""List an endpoint's records, or the records of a status, newest first."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, Protocol

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from inference_results.contract import LISTED_ATTRIBUTES, Attribute, Index, Status
from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.index_partitions import endpoint_and_status
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
"""How many items to read for each requested one before returning an incomplete page."""

_STATUSES: Final = {status.casefold(): status for status in Status}


class Listing(Protocol):
    """The indexes of the inferences table."""

    def newest(
        self, index: Index, key: str, *, since: str | None, before: str | None, page_size: int
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of an index key by descending sort key, from `since` to below `before`.

        Reads the first pages of all shards concurrently, and others when they are needed. Raises
        Unavailable.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInferences:
    """Lists records, page by page.

    A cursor holds a sort key. It is signed with `cursor_key` for the request's other parameters, so
    it is only valid with the same ones. See docs/decisions/0008-list-cursors.md.
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
        """Return a page: `{"inferences": [record, ...], "next_cursor"?}`.

        `since` is inclusive, `until` exclusive. A page can be incomplete, even empty, and still
        have a cursor. Raises InvalidParameter or Unavailable.
        """
        if endpoint_name is not None:
            ENDPOINT.check(endpoint_name)
        status = _checked_status(status)
        since, until = _checked_range(since, until)
        LIMIT.check(limit)
        index, key, sort = _index_key(endpoint_name, status)
        signer = self._signer(endpoint_name, status, since, until)
        items = self.inferences.newest(
            index,
            key,
            since=since,
            before=until if cursor is None else _sort_key(signer, cursor),
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

    def _signer(self, *parameters: str | None) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.cursor_key, salt=json.dumps(parameters))


def _index_key(endpoint_name: str | None, status: str | None) -> tuple[Index, str, Attribute]:
    """The index and key to read, and the index's sort key attribute.

    Completed records are only in the index by endpoint.
    """
    if status in (None, Status.COMPLETED):
        if endpoint_name is None:
            raise InvalidParameter(ENDPOINT.name, "an endpoint, or a status other than Completed")
        return Index.BY_ENDPOINT, endpoint_name, Attribute.ENDPOINT_SORT
    if endpoint_name is None:
        return Index.BY_STATUS, status, Attribute.STATUS_SORT
    key = endpoint_and_status(endpoint_name, status)
    return Index.BY_ENDPOINT_AND_STATUS, key, Attribute.STATUS_SORT


def _sort_key(signer: URLSafeTimedSerializer, cursor: str) -> str:
    try:
        sort_key = signer.loads(CURSOR.check(cursor), max_age=_CURSOR_SECONDS)
    except SignatureExpired:
        expected = "a cursor of the last 24 hours; list again without a cursor"
        raise InvalidParameter(CURSOR.name, expected) from None
    except BadSignature:
        expected = "the next_cursor of a request with the same other parameters, unchanged"
        raise InvalidParameter(CURSOR.name, expected) from None
    return str(sort_key)


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
