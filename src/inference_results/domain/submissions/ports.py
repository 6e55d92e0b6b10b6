"""The ports of submissions."""

from typing import Any, Protocol

from inference_results.domain.record.location import Location
from inference_results.domain.submissions.invocation import Invocation, InvocationResponse
from inference_results.domain.submissions.submission import Submission


class Registrations(Protocol):
    """The inferences table."""

    def register(self, submission: Submission) -> dict[str, Any]:
        """Write a registration and return the item, which includes the task token.

        Raises InvalidParameter if the item has too many tokens, or the token comes with an earlier
        invocation; Unavailable.
        """


class Attempts(Registrations, Protocol):
    """The inferences table."""

    def create(self, attempt: Submission) -> dict[str, Any] | None:
        """Record an attempt and return None, or return the existing item. Raises Unavailable."""

    def claim(self, attempt: Submission) -> bool:
        """Claim a prepared invocation. False if another caller has it. Raises Unavailable."""

    def add_token(self, submission: Submission) -> dict[str, Any]:
        """Add the task token and return the item; empty if the item is gone.

        Raises InvalidParameter if the item has too many tokens; Unavailable.
        """

    def withdraw(self, attempt: Submission) -> None:
        """Delete the record of an attempt that invoked nothing, if it is unchanged.

        Raises Unavailable.
        """

    def item(self, inference_id: str, endpoint_name: str) -> dict[str, Any]:
        """The current item; empty if it does not exist. Raises Unavailable."""


class Endpoints(Protocol):
    """SageMaker."""

    @property
    def max_body_bytes(self) -> int:
        """The size of the largest input that a request can contain."""

    def invoke(self, invocation: Invocation) -> InvocationResponse:
        """Invoke an endpoint, without retries.

        Raises InvocationRejected or Unavailable if nothing was invoked, InvocationUnconfirmed if
        that is unknown.
        """


class Inputs(Protocol):
    """S3, for large inputs."""

    def put(self, location: Location, body: bytes, content_type: str | None) -> None:
        """Write an object. Raises Unavailable."""
