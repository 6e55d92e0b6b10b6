"""What operations raise, besides the client's own errors.

InferenceResultsError
├── EndpointNotFound          SageMaker has no endpoint with this name
├── EndpointNotAttachable     the endpoint cannot be attached or detached; nothing was changed
│   └── PermissionsMissing    an execution role lacks permissions that the new config needs
├── UpdateFailed              the endpoint is not in service with the new config
├── UpdateTimeout             the update continues unwatched; also a TimeoutError
└── MessageNotFound           none of the messages that were read has this id
"""

from collections.abc import Sequence

from inference_results.domain.record.errors import InferenceResultsError


class EndpointNotFound(InferenceResultsError):
    """SageMaker has no endpoint with this name in this account and region."""

    def __init__(self, endpoint_name: str) -> None:
        super().__init__(f"{endpoint_name}: no such endpoint in this account and region")
        self.endpoint_name = endpoint_name


class EndpointNotAttachable(InferenceResultsError):
    """The endpoint cannot be attached or detached as it is. Nothing was changed."""

    def __init__(self, endpoint_name: str, detail: str) -> None:
        super().__init__(f"{endpoint_name}: {detail}")
        self.endpoint_name = endpoint_name


class PermissionsMissing(EndpointNotAttachable):
    """`role_arns` lack permissions; the update would fail, or notifications would be lost."""

    def __init__(self, endpoint_name: str, role_arns: Sequence[str]) -> None:
        super().__init__(
            endpoint_name, f"these execution roles lack permissions: {', '.join(role_arns)}"
        )
        self.role_arns = list(role_arns)


class UpdateFailed(InferenceResultsError):
    """The update has ended without the new config in service.

    `status` and `config_name` are the endpoint's current ones; `reason` is SageMaker's text.
    """

    def __init__(
        self, endpoint_name: str, status: str, config_name: str, reason: str | None
    ) -> None:
        super().__init__(
            f"{endpoint_name}: the update failed, the endpoint is {status} with {config_name}"
            + (f": {reason}" if reason else "")
        )
        self.endpoint_name = endpoint_name
        self.status = status
        self.config_name = config_name
        self.reason = reason


class UpdateTimeout(InferenceResultsError, TimeoutError):
    """The endpoint was not in service with the new config in time. The update continues."""

    def __init__(self, endpoint_name: str, status: str, timeout: float) -> None:
        super().__init__(
            f"{endpoint_name}: still {status} after {timeout:g} s; the update continues"
        )
        self.endpoint_name = endpoint_name
        self.status = status
        self.timeout = timeout


class MessageNotFound(InferenceResultsError):
    """None of the messages that were read has one of these ids.

    Messages that another reader has received are hidden, and were not read.
    """

    def __init__(self, message_ids: Sequence[str]) -> None:
        super().__init__(f"not found in the queue: {', '.join(message_ids)}")
        self.message_ids = list(message_ids)
