"""An invocation: what its caller says about it, the call of SageMaker, and the response."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.parameters import (
    CONTENT_TYPE,
    CUSTOM_ATTRIBUTES,
    ENDPOINT,
    INPUT_LOCATION,
    INVOCATION_TIMEOUT_SECONDS,
    METADATA,
    REQUEST_TTL_SECONDS,
    TASK_TOKEN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationDetails:
    """What a caller says about an invocation, whether it submits or registers it."""

    inference_id: str
    endpoint_name: str
    input_location: str | None = None
    content_type: str | None = None
    custom_attributes: str | None = field(default=None, repr=False)
    caller_metadata: Mapping[str, str] | None = field(default=None, repr=False)
    task_token: str | None = field(default=None, repr=False)
    request_ttl_seconds: int | None = None
    invocation_timeout_seconds: int | None = None

    @classmethod
    def from_parameters(cls, inference_id: str, checked: Mapping[str, Any]) -> Self:
        """`checked`: valid values, by the name of their parameter."""
        return cls(
            inference_id=inference_id,
            endpoint_name=checked[ENDPOINT.name],
            input_location=checked.get(INPUT_LOCATION.name),
            content_type=checked.get(CONTENT_TYPE.name),
            custom_attributes=checked.get(CUSTOM_ATTRIBUTES.name),
            caller_metadata=checked.get(METADATA.name),
            task_token=checked.get(TASK_TOKEN.name),
            request_ttl_seconds=checked.get(REQUEST_TTL_SECONDS.name),
            invocation_timeout_seconds=checked.get(INVOCATION_TIMEOUT_SECONDS.name),
        )

    @property
    def max_seconds(self) -> int:
        """The time after which SageMaker gives up at the latest."""
        ttl = self.request_ttl_seconds or REQUEST_TTL_SECONDS.default
        return ttl + (self.invocation_timeout_seconds or INVOCATION_TIMEOUT_SECONDS.default)

    def check_task_token(self, *, completes_tasks: bool) -> None:
        """Raise InvalidParameter for a token of a task that the service would never complete."""
        if self.task_token is not None and not completes_tasks:
            raise InvalidParameter(
                TASK_TOKEN.name, "no task token: the stack has no state_machine_arns"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A call of InvokeEndpointAsync, with either `body` or `input_location`."""

    inference_id: str
    endpoint_name: str
    body: bytes | None = field(repr=False)
    input_location: str | None
    content_type: str | None
    accept: str | None
    custom_attributes: str | None = field(repr=False)
    request_ttl_seconds: int | None
    invocation_timeout_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationResponse:
    """SageMaker's response. `invoked_at` is by its own clock."""

    invoked_at: datetime
    output_location: str | None
    failure_location: str | None
