"""Stream records as Lambda hands them over."""

from typing import Any

from inference_results.adapters.table.items import from_stream_image
from inference_results.domain.record.change import Change


def changes_in(event: dict[str, Any]) -> list[Change]:
    """The changes of one shard, in order. The last call of a tumbling window can have none."""
    return [_change(record["dynamodb"]) for record in event.get("Records", [])]


def _change(record: dict[str, Any]) -> Change:
    return Change(
        sequence=record["SequenceNumber"],
        made_at=int(record["ApproximateCreationDateTime"]),
        before=_item(record.get("OldImage")),
        after=_item(record.get("NewImage")),
    )


def _item(image: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if image is None else from_stream_image(image)
