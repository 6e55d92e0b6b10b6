"""Registrations and attempts behind one interface, for the use case that writes both."""

from typing import TYPE_CHECKING, Any

from inference_results.adapters.table.attempts import AttemptStore
from inference_results.adapters.table.registrations import RegistrationStore
from inference_results.domain.submissions.submission import Submission

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class SubmissionStore:
    """Hands each call to the store of registrations or the store of attempts."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._registrations = RegistrationStore(client, table_name, shards)
        self._attempts = AttemptStore(client, table_name, shards)

    def register(self, submission: Submission) -> dict[str, Any]:
        return self._registrations.register(submission)

    def add_token(self, submission: Submission) -> dict[str, Any]:
        return self._registrations.add_token(submission)

    def create(self, attempt: Submission) -> dict[str, Any] | None:
        return self._attempts.create(attempt)

    def claim(self, attempt: Submission) -> bool:
        return self._attempts.claim(attempt)

    def withdraw(self, attempt: Submission) -> None:
        self._attempts.withdraw(attempt)

    def item(self, inference_id: str, endpoint_name: str) -> dict[str, Any]:
        return self._attempts.item(inference_id, endpoint_name)
