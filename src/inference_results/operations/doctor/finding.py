"""Findings, and how to run the checks that produce them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from inference_results.client.transports.auth import ACCESS_DENIED_CODES
from inference_results.domain.record.errors import InferenceResultsError

_STATE_UNKNOWN: Final = "It is unknown whether this is as the stack's template describes it."

_NOT_FOUND_CODES: Final = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
"""The error codes for a missing queue, topic, key, function, table, schedule or bus."""


class Severity(StrEnum):
    ERROR = "error"
    """Results are lost, late or not published, now or later."""
    WARNING = "warning"
    """Nothing is lost because of it."""
    UNCHECKED = "unchecked"
    """The check could not run."""


class Symptom(StrEnum):
    """The kinds of findings; docs/operations/doctor.md lists them."""

    STACK_STATE = "stack-state"
    OUTPUTS_MISSING = "outputs-missing"
    RESOURCE_MISSING = "resource-missing"
    COULD_NOT_CHECK = "could-not-check"

    TOPIC_POLICY = "topic-policy"
    SUBSCRIPTION_MISSING = "subscription-missing"
    SUBSCRIPTION_UNCONFIRMED = "subscription-unconfirmed"
    DELIVERY_NOT_RAW = "delivery-not-raw"
    SUBSCRIPTION_REDRIVE = "subscription-redrive"
    SUBSCRIPTION_FILTER = "subscription-filter"

    QUEUE_POLICY = "queue-policy"
    QUEUE_REDRIVE = "queue-redrive"
    VISIBILITY_TOO_SHORT = "visibility-too-short"
    KEY_UNUSABLE = "key-unusable"

    MAPPING_DISABLED = "mapping-disabled"
    MAPPING_RESPONSE = "mapping-response"
    MAPPING_FAILING = "mapping-failing"
    MAPPING_OLD_STREAM = "mapping-old-stream"

    FUNCTION_FAILED = "function-failed"
    FUNCTION_STOPPED = "function-stopped"
    FUNCTION_SETTINGS = "function-settings"

    TABLE_STATE = "table-state"
    TABLE_INDEX = "table-index"
    TABLE_TTL = "table-ttl"
    TABLE_STREAM = "table-stream"
    TABLE_BACKUPS = "table-backups"
    TABLE_UNPROTECTED = "table-unprotected"

    SCHEDULE_DISABLED = "schedule-disabled"
    SCHEDULE_TARGET = "schedule-target"

    ENDPOINT_MISSING = "endpoint-missing"
    ENDPOINT_STATE = "endpoint-state"
    ENDPOINT_NOT_ATTACHED = "endpoint-not-attached"
    TOPIC_UNSET = "topic-unset"
    TOPIC_MISMATCH = "topic-mismatch"
    TOPICS_SWAPPED = "topics-swapped"
    OUTPUT_NOT_ALLOWED = "output-not-allowed"
    ROLE_PERMISSIONS = "role-permissions"

    DEAD_LETTERS = "dead-letters"
    LOST_RECORDS = "lost-records"
    OVERDUE_RECORDS = "overdue-records"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`resource` is an identifier that the AWS CLI accepts; the texts are sentences or commands."""

    severity: Severity
    symptom: Symptom
    resource: str
    problem: str
    effect: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a resource. `effect_if_missing` describes the effect if it does not exist."""

    resource: str
    run: Callable[[], Iterable[Finding]]
    effect_if_missing: str = "The parts of the service that depend on it fail."


@dataclass(frozen=True, slots=True)
class CheckRunner:
    """Run checks, and report a failed check as a finding.

    `clients` are the boto3 clients that the checks use. They identify the service of a failed call:
    several services have operations of the same name.
    """

    clients: tuple[Any, ...]

    def __call__(self, check: Check) -> Iterator[Finding]:
        """Yield the findings of a check."""
        try:
            yield from check.run()
        except (ClientError, BotoCoreError, InferenceResultsError) as error:
            yield self._failed_check(check, error)

    def _failed_check(self, check: Check, error: Exception) -> Finding:
        aws_error = error if isinstance(error, ClientError) else error.__cause__
        if isinstance(aws_error, ClientError):
            code = aws_error.response["Error"]["Code"]
            if code in ACCESS_DENIED_CODES:
                return permission_missing(check.resource, self._action(aws_error.operation_name))
            if code in _NOT_FOUND_CODES:
                return _resource_missing(check)
        return Finding(
            severity=Severity.UNCHECKED,
            symptom=Symptom.COULD_NOT_CHECK,
            resource=check.resource,
            problem=f"The check failed: {error}",
            effect=_STATE_UNKNOWN,
            remedy="Run doctor again. If the check fails again, fix the cause first.",
        )

    def _action(self, operation: str) -> str:
        """Return the IAM action of an operation."""
        models = [client.meta.service_model for client in self.clients]
        (prefix,) = {model.signing_name for model in models if operation in model.operation_names}
        return f"{prefix}:{operation}"


def permission_missing(resource: str, action: str) -> Finding:
    """Report that the caller cannot perform an action that a check needs."""
    return Finding(
        severity=Severity.UNCHECKED,
        symptom=Symptom.COULD_NOT_CHECK,
        resource=resource,
        problem=f"The check was denied: it needs permission {action}",
        effect=_STATE_UNKNOWN,
        remedy=f"Run doctor as a principal that is allowed {action} on this resource.",
    )


def _resource_missing(check: Check) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        symptom=Symptom.RESOURCE_MISSING,
        resource=check.resource,
        problem="The stack has this resource, but it does not exist.",
        effect=check.effect_if_missing,
        remedy="Create it again under the same name, as the stack's template describes it."
        " CloudFormation does not create it while the template stays the same. Or delete the stack"
        " and deploy it again: retained tables are kept.",
    )
