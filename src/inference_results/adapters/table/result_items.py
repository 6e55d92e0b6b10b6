"""Build the attributes that a result writes."""

from dataclasses import asdict
from typing import Any

from inference_results.adapters.table.index_keys import IndexKeys
from inference_results.adapters.table.record_attributes import KEY
from inference_results.contract import Status
from inference_results.domain.record.result import Result


def result_attributes(result: Result, shards: int) -> dict[str, Any]:
    """Build the attributes of a result, without the key. None for those that it does not have."""
    index_keys = IndexKeys(
        inference_id=result.inference_id, endpoint_name=result.endpoint_name, shards=shards
    )
    attributes = (
        asdict(result)
        | index_keys.by_endpoint(result.event_time)
        | index_keys.by_status(result.status, result.event_time)
    )
    if _has_unread_output(result):
        attributes |= index_keys.unread(result.recorded_at)
    return {name: value for name, value in attributes.items() if name not in KEY}


def _has_unread_output(result: Result) -> bool:
    """Whether reconciliation should read the output of a Completed result again.

    If the error has its own location, the location was rejected without reading S3, and always is.
    """
    unread = result.output_error is not None and result.output_error.location is None
    return bool(
        result.status == Status.COMPLETED and unread and result.output and result.output.location
    )
