"""SubmitInference on the real table, with SageMaker and S3 in memory, and callers that crash."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.record.location import Location
from inference_results.domain.submissions.invocation import Invocation, InvocationResponse
from inference_results.domain.submissions.submit import SubmitInference, Submitted

START = datetime(2026, 1, 25, 12, 0, tzinfo=UTC)
INPUTS = "s3://customer-inputs/async/"
OUTPUTS = "s3://customer-outputs/async/"
LARGE = b"x" * 128_001
"""An input that is too large for a request."""


class Crash(BaseException):
    """The caller's process ends."""


@dataclass
class FakeEndpoints:
    """Records invocations. Raises `error` instead of invoking, `lost_response` after it."""

    now: Any
    invocations: list[Invocation] = field(default_factory=list)
    error: BaseException | None = None
    lost_response: BaseException | None = None
    max_body_bytes: int = 128_000

    def invoke(self, invocation: Invocation) -> InvocationResponse:
        if self.error:
            raise self.error
        self.invocations.append(invocation)
        if self.lost_response:
            raise self.lost_response
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
    during_first_sleep: Callable[[], None] | None = None
    """Runs once, when a caller first waits."""
    _tokens: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.endpoints = self.endpoints or FakeEndpoints(self.now)

    def now(self) -> datetime:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)
        if run := self.during_first_sleep:
            self.during_first_sleep = None
            run()

    def submit(self, body: bytes | None = b"hello", **members: Any) -> Submitted:
        return self.use_case()({"endpoint": "speech", "idempotency_key": "one", **members}, body)

    def crash(
        self, step: str, body: bytes = b"hello", *, before: bool = False, **members: Any
    ) -> None:
        """Submit, and crash right after a step, or right before it."""
        ports = _CrashingPorts(self, step, before)
        crashing = self.use_case(attempts=ports, endpoints=ports, inputs=ports)
        try:
            crashing({"endpoint": "speech", "idempotency_key": "one", **members}, body)
        except Crash:
            return
        raise AssertionError(f"the submission ended without the step {step}")

    def use_case(self, **changes: Any) -> SubmitInference:
        """SubmitInference, with some of its arguments changed."""
        arguments: dict[str, Any] = {
            "attempts": self.table,
            "endpoints": self.endpoints,
            "inputs": self.inputs,
            "input_prefix": self.input_prefix,
            "endpoint_names": None,
            "completes_tasks": True,
            "retention": timedelta(days=90),
            "now": self.now,
            "sleep": self.sleep,
            "new_token": lambda: str(next(self._tokens)),
        }
        return SubmitInference(**arguments | changes)

    @property
    def invocation_counts(self) -> Counter[str]:
        """The number of invocations of each inference id."""
        return Counter(each.inference_id for each in self.endpoints.invocations)


@dataclass
class _CrashingPorts:
    """The ports of the use case, which crash at a step: the name of one of their methods."""

    submitters: Submitters
    step: str
    before: bool

    max_body_bytes = 128_000

    def __getattr__(self, name: str) -> Any:
        ports = (self.submitters.table, self.submitters.endpoints, self.submitters.inputs)
        (port,) = [each for each in ports if hasattr(each, name)]

        def call(*arguments: Any) -> Any:
            if name == self.step and self.before:
                raise Crash
            returned = getattr(port, name)(*arguments)
            if name == self.step:
                raise Crash
            return returned

        return call
