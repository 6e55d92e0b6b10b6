"""Index keys: the attributes that place a record in the table's indexes."""

import zlib
from dataclasses import dataclass
from typing import Any, Final

from inference_results.contract import Attribute, Status
from inference_results.domain.record.index_partitions import endpoint_and_status

INDEX_KEYS: Final = (
    Attribute.ENDPOINT_SHARD,
    Attribute.ENDPOINT_SORT,
    Attribute.STATUS_SHARD,
    Attribute.STATUS_SORT,
    Attribute.ENDPOINT_STATUS_SHARD,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexKeys:
    """Builds the index keys of one record.

    Sort keys end in the id, so they are unique below a partition key. List cursors rely on that.
    """

    inference_id: str
    endpoint_name: str
    shards: int

    def by_endpoint(self, time: str) -> dict[str, Any]:
        """Place the record in `by-endpoint`."""
        return {
            Attribute.ENDPOINT_SHARD: f"{self._shard}#{self.endpoint_name}",
            Attribute.ENDPOINT_SORT: f"{time}#{self.inference_id}",
        }

    def by_status(self, status: str, time: str) -> dict[str, Any]:
        """Place the record in `by-status` and `by-endpoint-and-status`, unless it is Completed."""
        if status == Status.COMPLETED:
            return {}
        endpoint_status = endpoint_and_status(self.endpoint_name, status)
        return {
            **self._in_status_index(status_key(self._shard, status), time),
            Attribute.ENDPOINT_STATUS_SHARD: f"{self._shard}#{endpoint_status}",
        }

    def unread(self, read_at: str) -> dict[str, Any]:
        """Place a Completed record in `by-status`, where reconciliation finds unread outputs."""
        return self._in_status_index(unread_key(self._shard), read_at)

    def _in_status_index(self, partition_key: str, time: str) -> dict[str, Any]:
        return {
            Attribute.STATUS_SHARD: partition_key,
            Attribute.STATUS_SORT: f"{time}#{self.inference_id}#{self.endpoint_name}",
        }

    @property
    def _shard(self) -> int:
        return zlib.crc32(self.inference_id.encode()) % self.shards


def status_key(shard: int, status: str) -> str:
    """The partition key in `by-status` of one shard's records with a status."""
    return f"{shard}#{status}"


def unread_key(shard: int) -> str:
    """The partition key in `by-status` of one shard's unread outputs. No status has this key."""
    return f"unread#{shard}"
