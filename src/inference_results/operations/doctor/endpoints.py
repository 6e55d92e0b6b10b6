"""Check that endpoints notify this service, and that it can read their outputs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

from inference_results.client.errors import InvalidRequest
from inference_results.client.transports.auth import ACCESS_DENIED_CODES
from inference_results.client.transports.aws_errors import translate_aws_errors
from inference_results.contract import Variable
from inference_results.operations.doctor.deployment import TOPIC, Deployment
from inference_results.operations.doctor.finding import (
    Check,
    CheckRunner,
    Finding,
    Severity,
    Symptom,
    permission_missing,
)
from inference_results.operations.endpoints.permissions import (
    PUBLISH,
    PermissionSimulator,
    RequiredPermission,
    RolePermissions,
    write_permission,
)
from inference_results.operations.endpoints.updates import Endpoint, Endpoints
from inference_results.operations.errors import EndpointNotFound

_BROKEN_STATUSES: Final = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})
_PATH_MEMBERS: Final = ("S3OutputPath", "S3FailurePath")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChecks:
    """Check all endpoints that use a topic of the stack, and the required ones.

    `required` are the caller's names, in addition to those in the stack's settings.
    """

    deployment: Deployment
    sagemaker: Any
    permissions: PermissionSimulator
    run_check: CheckRunner
    required: tuple[str, ...] = ()

    def checks(self) -> Iterator[Check]:
        reasons = self._reasons()
        for name, reason in reasons.items():
            yield Check(resource=f"endpoint {name}", run=partial(self._findings, name, reason))
        yield Check(resource="endpoints", run=partial(self._other_endpoints, frozenset(reasons)))

    def _reasons(self) -> dict[str, str]:
        """Return the names of the required endpoints, and why each is required."""
        watched = self._names_in(Variable.WATCHED_ENDPOINTS)
        submittable = self._names_in(Variable.SUBMIT_ENDPOINTS)
        return (
            dict.fromkeys(watched, "it is in the setting watched_endpoints")
            | dict.fromkeys(submittable, "it is in the setting submit_endpoints")
            | dict.fromkeys(self.required, "--endpoint requires it")
        )

    def _names_in(self, variable: Variable) -> list[str]:
        names: list[str] = json.loads(self.deployment.setting(variable) or "[]")
        return names

    def _other_endpoints(self, required: frozenset[str]) -> Iterator[Finding]:
        for page in self.sagemaker.get_paginator("list_endpoints").paginate():
            for name in (each["EndpointName"] for each in page["Endpoints"]):
                if name not in required:
                    yield from self.run_check(
                        Check(resource=f"endpoint {name}", run=partial(self._findings, name, None))
                    )

    def _findings(self, name: str, reason: str | None) -> Iterator[Finding]:
        """Check an endpoint. `reason` is None if the endpoint is not required."""
        try:
            endpoint = Endpoints(sagemaker=self.sagemaker).read(name)
        except EndpointNotFound:
            # An endpoint that is not required was deleted after it was listed.
            if reason:
                yield _endpoint_missing(name, reason)
            return
        try:
            fields = self._config_fields(endpoint)
        except InvalidRequest:
            # The config of a running endpoint can be deleted. Its topics are then unknown.
            if reason:
                raise
            return
        notifications = _Notifications(
            endpoint=endpoint,
            output=fields.get("AsyncInferenceConfig", {}).get("OutputConfig", {}),
            topics=self.deployment.stack.topics,
            own_topic_prefixes=self._own_topic_prefixes(),
            stack_name=self.deployment.stack.name,
        )
        if not notifications.use_own_topic:
            if reason:
                yield notifications.not_attached(reason)
            return
        output_prefixes = tuple(self._names_in(Variable.OUTPUT_PREFIXES))
        yield from chain(
            notifications.status_findings(),
            notifications.topic_findings(),
            notifications.output_findings(output_prefixes),
        )
        yield from self._permission_findings(notifications, fields)

    def _own_topic_prefixes(self) -> tuple[str, ...]:
        """Return the ARNs of the stack's topics without their suffix.

        CloudFormation generates a new suffix for each deployment of the stack.
        """
        return tuple(
            each.physical_id.rpartition("-")[0] + "-" for each in self.deployment.of_type(TOPIC)
        )

    def _config_fields(self, endpoint: Endpoint) -> dict[str, Any]:
        with translate_aws_errors("sagemaker"):
            fields: dict[str, Any] = self.sagemaker.describe_endpoint_config(
                EndpointConfigName=endpoint.config_name
            )
        return fields

    def _permission_findings(
        self, notifications: "_Notifications", fields: Mapping[str, Any]
    ) -> Iterator[Finding]:
        name = notifications.endpoint.name
        for role_arn in self.permissions.role_arns(name, fields):
            permissions = self.permissions.check(role_arn, notifications.required_permissions)
            yield from _role_findings(name, permissions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notifications:
    """An endpoint and the OutputConfig of its endpoint config.

    `topics` are the stack's SuccessTopic and ErrorTopic. `own_topic_prefixes` also match the topics
    of former deployments of the stack.
    """

    endpoint: Endpoint
    output: Mapping[str, Any]
    topics: tuple[str, str]
    own_topic_prefixes: tuple[str, ...]
    stack_name: str

    @property
    def config_topics(self) -> tuple[str | None, str | None]:
        """The SuccessTopic and ErrorTopic of the endpoint config."""
        notification = self.output.get("NotificationConfig", {})
        return notification.get("SuccessTopic"), notification.get("ErrorTopic")

    @property
    def use_own_topic(self) -> bool:
        return any(
            each in self.topics or each.startswith(self.own_topic_prefixes)
            for each in self.config_topics
            if each
        )

    @property
    def required_permissions(self) -> list[RequiredPermission]:
        topics = [each for each in dict.fromkeys(self.config_topics) if each in self.topics]
        partition = self.endpoint.arn.split(":")[1]
        paths = [self.output[each] for each in _PATH_MEMBERS if self.output.get(each)]
        return [
            *(RequiredPermission(action=PUBLISH, resource=each) for each in topics if each),
            *(write_permission(partition, each) for each in dict.fromkeys(paths)),
        ]

    def not_attached(self, reason: str) -> Finding:
        problem = "does not have this stack's topics" if self.output else "is not asynchronous"
        return self._finding(
            Symptom.ENDPOINT_NOT_ATTACHED,
            f"Its config {self.endpoint.config_name} {problem}, but {reason}.",
            "Its notifications do not arrive. Submitted inferences end when reconcile finds their"
            " results, or as Lost; others are not recorded.",
            self._attach,
        )

    def status_findings(self) -> Iterator[Finding]:
        if self.endpoint.status in _BROKEN_STATUSES:
            reason = self.endpoint.failure_reason
            yield self._finding(
                Symptom.ENDPOINT_STATE,
                f"The endpoint is {self.endpoint.status}" + (f": {reason}" if reason else "."),
                "SageMaker rejects invocations, or does not process them.",
                "Fix the cause, then update the endpoint or create it again.",
            )

    def topic_findings(self) -> Iterator[Finding]:
        success, error = self.config_topics
        if success != error and (error, success) == self.topics:
            yield self._swapped(
                "SuccessTopic is the stack's error topic, and ErrorTopic its success topic."
            )
            return
        for member, topic, expected, outcome in (
            ("SuccessTopic", success, self.topics[0], "completed"),
            ("ErrorTopic", error, self.topics[1], "failed"),
        ):
            effect = (
                f"Notifications of {outcome} inferences do not arrive. Submitted inferences end"
                " when reconcile finds their results; others are not recorded."
            )
            if topic is None:
                yield self._finding(
                    Symptom.TOPIC_UNSET,
                    f"Its config has no {member}.",
                    effect,
                    self._attach,
                )
            elif topic not in self.topics:
                yield self._finding(
                    Symptom.TOPIC_MISMATCH,
                    f"{member} is {topic}, which is not a topic of this stack.",
                    effect,
                    self._attach,
                )
            elif topic != expected:
                yield self._swapped(f"{member} is the stack's other topic.")

    def output_findings(self, prefixes: tuple[str, ...]) -> Iterator[Finding]:
        for member in _PATH_MEMBERS:
            path = self.output.get(member, "")
            if path.startswith("s3://") and not (path.rstrip("/") + "/").startswith(prefixes):
                yield self._finding(
                    Symptom.OUTPUT_NOT_ALLOWED,
                    f"{member} is {path}, outside output_prefixes ({', '.join(prefixes)}).",
                    "Statuses are recorded, but the service does not read outputs there: records"
                    " have an output_error, and reconcile finds nothing.",
                    "Add this prefix to output_prefixes and deploy the stack, or let the endpoint"
                    " write below one of its prefixes.",
                )

    @property
    def _attach(self) -> str:
        name = self.endpoint.name
        return f"Run: inference-results attach {name} --stack {self.stack_name} --apply"

    def _swapped(self, problem: str) -> Finding:
        return self._finding(
            Symptom.TOPICS_SWAPPED,
            problem,
            "Records are correct, but other subscribers receive the wrong results.",
            self._attach,
            Severity.WARNING,
        )

    def _finding(
        self,
        symptom: Symptom,
        problem: str,
        effect: str,
        remedy: str,
        severity: Severity = Severity.ERROR,
    ) -> Finding:
        return Finding(
            severity=severity,
            symptom=symptom,
            resource=f"endpoint {self.endpoint.name}",
            problem=problem,
            effect=effect,
            remedy=remedy,
        )


def _endpoint_missing(name: str, reason: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        symptom=Symptom.ENDPOINT_MISSING,
        resource=f"endpoint {name}",
        problem=f"The endpoint does not exist, but {reason}.",
        effect="Submissions to it are rejected.",
        remedy="Create the endpoint, or remove it from the settings and deploy.",
    )


def _role_findings(endpoint_name: str, permissions: RolePermissions) -> Iterator[Finding]:
    if permissions.unknown in ACCESS_DENIED_CODES:
        yield permission_missing(permissions.role_arn, "iam:SimulatePrincipalPolicy")
    elif permissions.unknown:
        yield Finding(
            severity=Severity.UNCHECKED,
            symptom=Symptom.COULD_NOT_CHECK,
            resource=permissions.role_arn,
            problem=f"IAM's policy simulator could not decide: {permissions.unknown}",
            effect=f"It is unknown whether {endpoint_name} can write its outputs and publish"
            " notifications.",
            remedy="Check the role's policies; docs/operations/attaching.md lists what it needs.",
        )
    elif permissions.missing:
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.ROLE_PERMISSIONS,
            resource=permissions.role_arn,
            problem=f"The execution role of {endpoint_name} lacks permissions in its policies.",
            effect="Outputs are not written, unless the bucket's policy allows it, or notifications"
            " are not published. SageMaker's metrics ResponseUploadFailures and"
            " NotificationFailures count them.",
            remedy=f"Add these statements to a policy of the role: {permissions.statements}",
        )
