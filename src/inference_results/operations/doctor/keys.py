"""Check the stack's KMS keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from inference_results.operations.doctor.deployment import KEY, Deployment
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChecks:
    """Check the customer managed keys of the stack. `kms` is a boto3 client."""

    deployment: Deployment
    kms: Any

    def checks(self) -> Iterator[Check]:
        for key in self.deployment.of_type(KEY):
            yield Check(resource=key.physical_id, run=partial(self._key, key.physical_id))

    def _key(self, key_id: str) -> Iterator[Finding]:
        state = self.kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]
        if state != "Enabled":
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.KEY_UNUSABLE,
                resource=key_id,
                problem=f"The key is {state}.",
                effect="The topics, queues or tables that it encrypts can be neither written nor"
                " read.",
                remedy=f"If it is PendingDeletion, run: aws kms cancel-key-deletion --key-id"
                f" {key_id}. Then run: aws kms enable-key --key-id {key_id}",
            )
