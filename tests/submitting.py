"""SubmitInference over the real table, with SageMaker and S3 in memory, and callers that crash."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.record.location import Location
from inference_results.domain.submissions.submit import (
    Invocation,
    InvocationResponse,
    SubmitInference,
    Submitted,
)

START = datetime(2026, 1, 25, 12, 0, tzinfo=UTC)
INPUTS = "s3://customer-inputs/async/"
OUTPUTS = "s3://customer-outputs/async/"
LARGE = b"x" * 128_001


class Crash(BaseException):
    """The caller's process ends here."""


@dataclass
class FakeEndpoints:
    """Counts invocations. `error` comes before one is made, `lost_answer` after."""

    now: Any
    invocations: list[Invocation] = field(default_factory=list)
    error: BaseException | None = None
    lost_answer: BaseException | None = None
    max_body_bytes: int = 128_000

    def invoke(self, invocation: Invocation) -> InvocationResponse:
        if self.error:
            raise self.error
        self.invocations.append(invocation)
        if self.lost_answer:
            raise self.lost_answer
        name = f"{invocation.inference_id}-{len(self.invocations)}"
        return InvocationResponse(
            invoked_at=self.now().replace(microsecond=0),
            output_location=f"{OUTPUTS}{name}.out",
            failure_location=f"s3://customer-outputs/failures/{name}.out",
        )


@dataclass
class FakeInputs:
    stored: dict[str, bytes] = field(default_factory=dict)

    def put(self, location: Location, body: bytes, content_type: str | None) -> None:
        self.stored[location.uri] = body


@dataclass
class Submitters:
    """Callers that share a table, an endpoint and a clock."""

    table: SubmissionStore
    clock: datetime = START
    endpoints: Any = None
    inputs: Any = field(default_factory=FakeInputs)
    input_prefix: str = INPUTS
    meanwhile: Callable[[], None] | None = None
    """What happens, once, when somebody waits for the first time."""
    _tokens: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.endpoints = self.endpoints or FakeEndpoints(self.now)

    def now(self) -> datetime:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)
        if meanwhile := self.meanwhile:
            self.meanwhile = None
            meanwhile()

    def submit(self, body: bytes | None = b"hello", **members: Any) -> Submitted:
        return self.use_case()({"endpoint": "speech", "idempotency_key": "one", **members}, body)

    def crash(
        self, step: str, body: bytes = b"hello", *, before: bool = False, **members: Any
    ) -> None:
        """Submit, and end right after a step (or before it)."""
        crashing = self.use_case(_Crashing(self, step, before))
        try:
            crashing({"endpoint": "speech", "idempotency_key": "one", **members}, body)
        except Crash:
            return
        raise AssertionError(f"{step} was never taken")

    def use_case(self, outside: Any = None) -> SubmitInference:
        return SubmitInference(
            attempts=outside or self.table,
            endpoints=outside or self.endpoints,
            inputs=outside or self.inputs,
            input_prefix=self.input_prefix,
            endpoint_names=None,
            completes_tasks=True,
            retention=timedelta(days=90),
            now=self.now,
            sleep=self.sleep,
            new_token=lambda: str(next(self._tokens)),
        )

    @property
    def invoked(self) -> Counter[str]:
        return Counter(each.inference_id for each in self.endpoints.invocations)


@dataclass
class _Crashing:
    """Whatever the use case calls, until a step."""

    submitters: Submitters
    step: str
    before: bool

    max_body_bytes = 128_000

    def __getattr__(self, name: str) -> Any:
        each = self.submitters
        (target,) = [
            place for place in (each.table, each.endpoints, each.inputs) if hasattr(place, name)
        ]

        def call(*arguments: Any) -> Any:
            if name == self.step and self.before:
                raise Crash
            answer = getattr(target, name)(*arguments)
            if name == self.step:
                raise Crash
            return answer

        return call
