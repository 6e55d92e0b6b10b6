"""Endpoints: whether what they do is told to this service, and may be read by it."""

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
    Examiner,
    Finding,
    Severity,
    Symptom,
    could_not_check,
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

_BROKEN: Final = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})
_PATHS: Final = ("S3OutputPath", "S3FailurePath")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedEndpoints:
    """All that use a topic of this service, and by name those that must.

    `asked` are names from the caller; the stack's settings have others.
    """

    deployment: Deployment
    sagemaker: Any
    rights: PermissionSimulator
    examine: Examiner
    asked: tuple[str, ...] = ()

    def checks(self) -> Iterator[Check]:
        reasons = self._reasons()
        for name, reason in reasons.items():
            yield Check(resource=f"endpoint {name}", run=partial(self._findings, name, reason))
        yield Check(resource="endpoints", run=partial(self._others, frozenset(reasons)))

    def _reasons(self) -> dict[str, str]:
        """Why an endpoint must notify this service, by its name."""
        reasons = dict.fromkeys(
            self._setting(Variable.WATCHED_ENDPOINTS), "it is one of watched_endpoints"
        )
        submitting = self._setting(Variable.SUBMIT_ENDPOINTS)
        reasons |= dict.fromkeys(submitting, "it is one of submit_endpoints")
        return reasons | dict.fromkeys(self.asked, "it was asked for")

    def _setting(self, variable: Variable) -> list[str]:
        names: list[str] = json.loads(self.deployment.setting(variable) or "[]")
        return names

    def _others(self, named: frozenset[str]) -> Iterator[Finding]:
        for page in self.sagemaker.get_paginator("list_endpoints").paginate():
            for name in (each["EndpointName"] for each in page["Endpoints"]):
                if name not in named:
                    yield from self.examine(
                        Check(resource=f"endpoint {name}", run=partial(self._findings, name, None))
                    )

    def _findings(self, name: str, reason: str | None) -> Iterator[Finding]:
        """Of an endpoint that need not notify this service, `reason` is None."""
        try:
            endpoint = Endpoints(sagemaker=self.sagemaker).read(name)
        except EndpointNotFound:
            # Of the listed ones, it was deleted in the meantime.
            if reason:
                yield _unknown(name, reason)
            return
        try:
            fields = self._fields(endpoint)
        except InvalidRequest:
            # A config can be deleted while its endpoint runs: then nobody knows whom it notifies.
            if reason:
                raise
            return
        wired = _Wired(
            endpoint=endpoint,
            output=fields.get("AsyncInferenceConfig", {}).get("OutputConfig", {}),
            topics=self.deployment.stack.topics,
            former=self._former_topics(),
            stack_name=self.deployment.stack.name,
        )
        if not wired.is_ours:
            if reason:
                yield wired.unwired(reason)
            return
        prefixes = tuple(self._setting(Variable.OUTPUT_PREFIXES))
        yield from chain(wired.state(), wired.wires(), wired.outside(prefixes))
        yield from self._rights_findings(wired, fields)

    def _former_topics(self) -> tuple[str, ...]:
        """How the ARNs of this stack's topics begin, and began at former deployments of it.

        CloudFormation ends them with something new each time.
        """
        return tuple(
            each.physical_id.rpartition("-")[0] + "-" for each in self.deployment.of(TOPIC)
        )

    def _fields(self, endpoint: Endpoint) -> dict[str, Any]:
        with translate_aws_errors("sagemaker"):
            fields: dict[str, Any] = self.sagemaker.describe_endpoint_config(
                EndpointConfigName=endpoint.config_name
            )
        return fields

    def _rights_findings(self, wired: "_Wired", fields: Mapping[str, Any]) -> Iterator[Finding]:
        for role_arn in self.rights.roles(wired.endpoint.name, fields):
            yield from _role_findings(wired.endpoint.name, self.rights.check(role_arn, wired.needs))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wired:
    """An endpoint and the OutputConfig of its endpoint config.

    `topics` are the stack's two; `former` is how those of its former deployments begin.
    """

    endpoint: Endpoint
    output: Mapping[str, Any]
    topics: tuple[str, str]
    former: tuple[str, ...]
    stack_name: str

    @property
    def named(self) -> tuple[str | None, str | None]:
        """The topics of the endpoint config."""
        topics = self.output.get("NotificationConfig", {})
        return topics.get("SuccessTopic"), topics.get("ErrorTopic")

    @property
    def is_ours(self) -> bool:
        return any(
            each in self.topics or each.startswith(self.former) for each in self.named if each
        )

    @property
    def needs(self) -> list[RequiredPermission]:
        topics = [each for each in dict.fromkeys(self.named) if each in self.topics]
        partition = self.endpoint.arn.split(":")[1]
        paths = [self.output[each] for each in _PATHS if self.output.get(each)]
        return [
            *(RequiredPermission(action=PUBLISH, resource=each) for each in topics if each),
            *(write_permission(partition, each) for each in dict.fromkeys(paths)),
        ]

    def unwired(self, reason: str) -> Finding:
        config = self.endpoint.config_name
        what = "names other topics, or none" if self.output else "is not asynchronous"
        return self._finding(
            Symptom.ENDPOINT_UNWIRED,
            f"Its config {config} {what}, and {reason}.",
            "Its results are not recorded; what is submitted to it ends by the sweep, or as Lost.",
            self._wire,
        )

    def state(self) -> Iterator[Finding]:
        if self.endpoint.status in _BROKEN:
            reason = self.endpoint.failure_reason
            yield self._finding(
                Symptom.ENDPOINT_STATE,
                f"It is {self.endpoint.status}" + (f": {reason}" if reason else "."),
                "Invocations are refused, or are not worked off.",
                "Repair what the reason names, and update or create the endpoint again.",
            )

    def wires(self) -> Iterator[Finding]:
        """What is wrong with the topics of an endpoint that has one of ours."""
        success, error = self.named
        ours = self.topics
        if success != error and (success, error) == (ours[1], ours[0]):
            yield self._finding(
                Symptom.TOPICS_SWAPPED,
                "SuccessTopic is the stack's topic of errors, and ErrorTopic that of successes.",
                "Records are right; but who is told by one of the topics is told of the wrong"
                " results.",
                self._wire,
                Severity.WARNING,
            )
            return
        for member, topic, expected in (
            ("SuccessTopic", success, ours[0]),
            ("ErrorTopic", error, ours[1]),
        ):
            if topic is None:
                yield self._finding(
                    Symptom.TOPIC_UNSET,
                    f"It has no {member}.",
                    "Such results are not told: they are not recorded, or end by the sweep.",
                    self._wire,
                )
            elif topic not in ours:
                yield self._finding(
                    Symptom.TOPIC_FOREIGN,
                    f"{member} is {topic}, which is none of this stack's.",
                    "Such results are not told here: they are not recorded, or end by the sweep.",
                    self._wire,
                )
            elif topic != expected:
                yield self._finding(
                    Symptom.TOPICS_SWAPPED,
                    f"{member} is the stack's other topic.",
                    "Records are right; but who is told by that topic is told of the wrong"
                    " results.",
                    self._wire,
                    Severity.WARNING,
                )

    def outside(self, prefixes: tuple[str, ...]) -> Iterator[Finding]:
        for member in _PATHS:
            path = self.output.get(member, "")
            if path.startswith("s3://") and not (path.rstrip("/") + "/").startswith(prefixes):
                yield self._finding(
                    Symptom.OUTPUT_OUTSIDE,
                    f"{member} is {path}, outside of output_prefixes ({', '.join(prefixes)}).",
                    "Statuses are recorded, but outputs there may not be read: records have an"
                    " output_error, and the sweep finds nothing.",
                    "Deploy the stack with this prefix in output_prefixes, or let the endpoint"
                    " write below one of them.",
                )

    @property
    def _wire(self) -> str:
        name = self.endpoint.name
        return f"Run: inference-results wire {name} --stack {self.stack_name} --apply"

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


def _unknown(name: str, reason: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        symptom=Symptom.ENDPOINT_UNKNOWN,
        resource=f"endpoint {name}",
        problem=f"There is no such endpoint, and {reason}.",
        effect="What is submitted to it is refused.",
        remedy="Create it, or take it out of the settings and deploy.",
    )


def _role_findings(endpoint_name: str, rights: RolePermissions) -> Iterator[Finding]:
    if rights.unknown in ACCESS_DENIED_CODES:
        yield could_not_check(rights.role_arn, "iam:SimulatePrincipalPolicy")
    elif rights.unknown:
        yield Finding(
            severity=Severity.UNCHECKED,
            symptom=Symptom.COULD_NOT_CHECK,
            resource=rights.role_arn,
            problem=f"IAM could not tell what it may do: {rights.unknown}",
            effect=f"Whether {endpoint_name} can write its outputs and tell of them is not known.",
            remedy="Look at the role's policies; docs/operations/attaching.md says what it needs.",
        )
    elif rights.missing:
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.ROLE_RIGHTS,
            resource=rights.role_arn,
            problem=f"The execution role of {endpoint_name} lacks rights in its own policies.",
            effect="Unless the bucket's policy lets it write, outputs are not written, or results"
            " are not told: SageMaker counts them as ResponseUploadFailures and"
            " NotificationFailures.",
            remedy=f"Add to a policy of the role: {rights.statements}",
        )
