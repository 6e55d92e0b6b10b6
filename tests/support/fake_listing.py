"""Records for lists, and the table's indexes in memory."""

from datetime import UTC, datetime, timedelta

from inference_results.contract import Index
from inference_results.domain.record.timestamps import timestamp
from tests.support.fakes import NOW


def _index_key(index, item):
    endpoint_name, status = item["endpoint_name"], item["status"]
    return {
        Index.BY_ENDPOINT: endpoint_name,
        Index.BY_STATUS: status,
        Index.BY_ENDPOINT_AND_STATUS: f"{endpoint_name}#{status}",
    }[index]


class FakeListing:
    """The indexes of the table. Counts the items that are read."""

    def __init__(self, *items):
        self.items = items
        self.examined = 0

    def newest(self, index, index_key, *, since, before, page_size):
        sort = "endpoint_sort" if index is Index.BY_ENDPOINT else "status_sort"
        found = [each for each in self.items if _index_key(index, each) == index_key]
        for each in sorted(found, key=lambda item: item[sort], reverse=True):
            if (since is None or each[sort] >= since) and (before is None or each[sort] < before):
                self.examined += 1
                yield each


def item(inference_id="one", seconds=0, status="Completed", endpoint_name="here", **attributes):
    """Return an item that was recorded some seconds after noon."""
    time = timestamp(datetime(2026, 1, 25, 12, tzinfo=UTC) + timedelta(seconds=seconds))
    return {
        "inference_id": inference_id,
        "endpoint_name": endpoint_name,
        "status": status,
        "event_time": time,
        "endpoint_sort": f"{time}#{inference_id}",
        "status_sort": f"{time}#{inference_id}#{endpoint_name}",
        "expires_at": int(NOW.timestamp()) + 60,
        **attributes,
    }
