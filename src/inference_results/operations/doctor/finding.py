"""What the doctor finds, and how a check is made."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from inference_results.client.transports.auth import ACCESS_DENIED_CODES
from inference_results.domain.record.errors import InferenceResultsError

_NOT_KNOWN: Final = "Whether it is as it should be is not known."

_UNKNOWN: Final = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
"""That there is no such queue, topic, key, function, table, schedule or bus."""


class Severity(StrEnum):
    ERROR = "error"
    """Results are lost, late or not told, or soon will be."""
    WARNING = "warning"
    """Nothing is lost by it alone."""
    UNCHECKED = "unchecked"
    """It could not be looked at."""


class Symptom(StrEnum):
    """What can be found; docs/operations/doctor.md lists them."""

    STACK_STATE = "stack-state"
    OUTPUTS_MISSING = "outputs-missing"
    RESOURCE_GONE = "resource-gone"
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
    MAPPING_OF_OLD_STREAM = "mapping-of-old-stream"

    FUNCTION_UNFIT = "function-unfit"
    FUNCTION_STOPPED = "function-stopped"
    FUNCTION_SETTINGS = "function-settings"

    TABLE_STATE = "table-state"
    TABLE_INDEX = "table-index"
    TABLE_EXPIRY = "table-expiry"
    TABLE_STREAM = "table-stream"
    TABLE_BACKUPS = "table-backups"
    TABLE_UNPROTECTED = "table-unprotected"

    SCHEDULE_DISABLED = "schedule-disabled"
    SCHEDULE_TARGET = "schedule-target"

    ENDPOINT_UNKNOWN = "endpoint-unknown"
    ENDPOINT_STATE = "endpoint-state"
    ENDPOINT_UNWIRED = "endpoint-unwired"
    TOPIC_UNSET = "topic-unset"
    TOPIC_FOREIGN = "topic-foreign"
    TOPICS_SWAPPED = "topics-swapped"
    OUTPUT_OUTSIDE = "output-outside"
    ROLE_RIGHTS = "role-rights"

    DEAD_LETTERS = "dead-letters"
    LOST_RECORDS = "lost-records"
    OVERDUE_RECORDS = "overdue-records"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`resource` is as AWS's tools take it; the rest are sentences or commands."""

    severity: Severity
    symptom: Symptom
    resource: str
    problem: str
    effect: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One look at a resource. `if_gone` is the effect where AWS says that there is no such one."""

    resource: str
    run: Callable[[], Iterable[Finding]]
    if_gone: str = "What depends on it does not work."


@dataclass(frozen=True, slots=True)
class Examiner:
    """Makes checks that use these clients of boto3.

    No others: two services may have an operation of the same name, as DescribeEndpoint.
    """

    clients: tuple[Any, ...]

    def __call__(self, check: Check) -> Iterator[Finding]:
        """What it finds; that it could not be made is a finding too."""
        try:
            yield from check.run()
        except (ClientError, BotoCoreError, InferenceResultsError) as error:
            yield self._failed(check, error)

    def _failed(self, check: Check, error: Exception) -> Finding:
        refusal = error if isinstance(error, ClientError) else error.__cause__
        if isinstance(refusal, ClientError):
            code = refusal.response["Error"]["Code"]
            if code in ACCESS_DENIED_CODES:
                return could_not_check(check.resource, self._action(refusal.operation_name))
            if code in _UNKNOWN:
                return _gone(check)
        return Finding(
            severity=Severity.UNCHECKED,
            symptom=Symptom.COULD_NOT_CHECK,
            resource=check.resource,
            problem=f"It could not be checked: {error}",
            effect=_NOT_KNOWN,
            remedy="Run it again; if it says the same, mend what it names.",
        )

    def _action(self, operation: str) -> str:
        """IAM's name of what one of the clients called."""
        models = [each.meta.service_model for each in self.clients]
        (prefix,) = {each.signing_name for each in models if operation in each.operation_names}
        return f"{prefix}:{operation}"


def could_not_check(resource: str, action: str) -> Finding:
    """For want of a right."""
    return Finding(
        severity=Severity.UNCHECKED,
        symptom=Symptom.COULD_NOT_CHECK,
        resource=resource,
        problem=f"It could not be checked: needs action {action}",
        effect=_NOT_KNOWN,
        remedy=f"Run it as somebody who is allowed {action} on it.",
    )


def _gone(check: Check) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        symptom=Symptom.RESOURCE_GONE,
        resource=check.resource,
        problem="The stack has it, and it is there no more.",
        effect=check.if_gone,
        remedy="Create it again as the stack's template says, under the same name: CloudFormation"
        " does not, as long as the template stays as it is. Else remove the stack and deploy it"
        " anew; tables that are retained stay.",
    )
