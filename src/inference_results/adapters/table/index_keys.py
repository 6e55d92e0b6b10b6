"""The places of a record in the indexes of the table."""

import zlib
from dataclasses import dataclass
from typing import Any, Final

from inference_results.contract import Attribute, Status
from inference_results.domain.queries.listing import endpoint_and_status

INDEX_KEYS: Final = (
    Attribute.ENDPOINT_SHARD,
    Attribute.ENDPOINT_SORT,
    Attribute.STATUS_SHARD,
    Attribute.STATUS_SORT,
    Attribute.ENDPOINT_STATUS_SHARD,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexKeys:
    """Of one record. Sort keys end in the id, so below a key no two are the same."""

    inference_id: str
    endpoint_name: str
    shards: int

    def by_endpoint(self, time: str) -> dict[str, Any]:
        return {
            Attribute.ENDPOINT_SHARD: f"{self._shard}#{self.endpoint_name}",
            Attribute.ENDPOINT_SORT: f"{time}#{self.inference_id}",
        }

    def by_status(self, status: str, time: str) -> dict[str, Any]:
        """In both indexes that have a status in their keys; nowhere if it is Completed."""
        if status == Status.COMPLETED:
            return {}
        of = endpoint_and_status(self.endpoint_name, status)
        return {
            **self._under(status_key(self._shard, status), time),
            Attribute.ENDPOINT_STATUS_SHARD: f"{self._shard}#{of}",
        }

    def unread(self, look_again_at: str) -> dict[str, Any]:
        """In `by-status`, under a key that no status has."""
        return self._under(unread_key(self._shard), look_again_at)

    def _under(self, key: str, time: str) -> dict[str, Any]:
        return {
            Attribute.STATUS_SHARD: key,
            Attribute.STATUS_SORT: f"{time}#{self.inference_id}#{self.endpoint_name}",
        }

    @property
    def _shard(self) -> int:
        return zlib.crc32(self.inference_id.encode()) % self.shards


def status_key(shard: int, status: str) -> str:
    """The key in `by-status` of records with a status, in one shard."""
    return f"{shard}#{status}"


def unread_key(shard: int) -> str:
    """That of completed records whose output is to be read again."""
    return f"unread#{shard}"
