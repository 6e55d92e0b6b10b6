"""A client that serves records from memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference_results.client import DaySummary, Inference, NotFound, WaitTimeout

API = {"INFERENCE_RESULTS_API_URL": "https://api.example"}
BINARY = b"\xff\x00 no text"


def record(inference_id: str = "one", status: str = "Completed", **changes: Any) -> Inference:
    return Inference.from_document(
        {
            "inference_id": inference_id,
            "endpoint_name": "speech",
            "status": status,
            "event_time": "2026-11-23T10:00:00.000Z",
            **changes,
        }
    )


FAILED = record(
    "two",
    "Failed",
    failure={"code": "MODEL_TIMEOUT", "retryable": True, "reason": "server error (0)"},
)


@dataclass
class FakeClient:
    """`lists` holds the results of successive calls of `list`; an exception in it is raised."""

    records: dict[str, Inference] = field(default_factory=dict)
    lists: list[list[Inference] | Exception] = field(default_factory=list)
    days: list[DaySummary] = field(default_factory=list)
    content: list[bytes] = field(default_factory=list)
    submitted: Inference | None = None
    error: Exception | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.append(("close",))

    def get(self, inference_id: str, *, endpoint: str | None = None) -> Inference:
        self._record_call("get", inference_id, endpoint)
        if inference_id not in self.records:
            raise NotFound(inference_id)
        return self.records[inference_id]

    def submit(self, endpoint: str, body_or_location: bytes | str, **options: Any) -> Inference:
        set_options = {name: each for name, each in options.items() if each is not None}
        self._record_call("submit", endpoint, body_or_location, set_options)
        return self.submitted or record("one", "InProgress")

    def wait(self, inference_id: str, timeout: float, *, endpoint: str | None = None) -> Inference:
        (inference,) = self.as_completed([inference_id], timeout, endpoint=endpoint)
        return inference

    def as_completed(
        self, ids: Iterable[str], timeout: float, *, endpoint: str | None = None
    ) -> Iterator[Inference]:
        unique_ids = list(ids)
        self._record_call("wait", unique_ids, timeout, endpoint)
        known = {each: self.records[each] for each in unique_ids if each in self.records}
        ended = {name: each for name, each in known.items() if each.is_terminal}
        yield from ended.values()
        if pending := [each for each in unique_ids if each not in ended]:
            seen = {name: known[name] for name in pending if name in known}
            raise WaitTimeout(timeout, pending=pending, done=ended, seen=seen)

    def list(self, **filters: Any) -> Iterator[Inference]:
        self._record_call("list", filters)
        result = self.lists.pop(0)
        if isinstance(result, Exception):
            raise result
        return iter(result)

    def summary(self, endpoint: str, **days: Any) -> list[DaySummary]:
        self._record_call("summary", endpoint, days)
        return self.days

    def save_output(
        self, inference_id: str, target: Any, *, endpoint: str | None = None, progress: Any = None
    ) -> int:
        self._record_call("output", inference_id, endpoint)
        if isinstance(target, Path):
            target.write_bytes(b"".join(self.content))
        size = sum(map(len, self.content))
        done = 0
        for chunk in self.content:
            done += len(chunk)
            if progress:
                progress(done, size)
            if not isinstance(target, Path):
                target.write(chunk)
        return size

    def _record_call(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error:
            raise self.error


@dataclass
class FakeClients:
    """Replaces the class Client, and records the arguments of each client."""

    client: FakeClient
    created: list[tuple[Any, ...]] = field(default_factory=list)

    def __call__(self, api_url: str, **options: Any) -> FakeClient:
        self.created.append(("api", api_url, options))
        return self.client

    def on_table(self, table_name: str, **options: Any) -> FakeClient:
        self.created.append(("table", table_name, options))
        return self.client
