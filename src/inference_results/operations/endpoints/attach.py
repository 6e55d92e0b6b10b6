"""Wires an endpoint that exists to the topics of this service, and back.

An endpoint config cannot be changed: a copy of it is created, with the topics and a tag that names
the original, and the endpoint is updated to the copy. First a plan is made, which changes nothing;
what `apply` does can be repeated, wherever it was broken off.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from inference_results.client.errors import InvalidRequest
from inference_results.operations.endpoints.configs import (
    Change,
    EndpointConfig,
    EndpointConfigs,
    changes,
    copy_name,
)
from inference_results.operations.endpoints.permissions import (
    PUBLISH,
    PermissionSimulator,
    RequiredPermission,
    RolePermissions,
    write_permission,
)
from inference_results.operations.endpoints.updates import Endpoint, Endpoints
from inference_results.operations.errors import EndpointNotAttachable, PermissionsMissing

FORMER_TAG: Final = "inference-results:attached-from"
"""On a copy: the name of the config that the endpoint had before it was wired."""

_WIRED: Final = "AsyncInferenceConfig.OutputConfig."
_STACK_TAG: Final = "aws:cloudformation:stack-name"
_RESERVED: Final = "aws:"
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]*:[0-9]{12}:[a-zA-Z0-9_.-]+")
_FAILURE_PATH: Final = re.compile(r"s3://[^/]+/?.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What the endpoint config is to name. None keeps what it has.

    Topics are ARNs, `failure_path` is `s3://bucket/prefix/`, `include_response_in` are
    `SUCCESS_NOTIFICATION_TOPIC` and `ERROR_NOTIFICATION_TOPIC`. Raises InvalidRequest.
    """

    success_topic: str
    error_topic: str
    failure_path: str | None = None
    include_response_in: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("success_topic", "error_topic"):
            if not _TOPIC.fullmatch(getattr(self, name)):
                raise InvalidRequest("expected the ARN of an SNS topic", name)
        if self.failure_path is not None and not _FAILURE_PATH.fullmatch(self.failure_path):
            raise InvalidRequest("expected s3://bucket/prefix/", "failure_path")

    def within(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of an endpoint config, wired."""
        asynchronous = fields["AsyncInferenceConfig"]
        output = asynchronous["OutputConfig"]
        notification = {
            **output.get("NotificationConfig", {}),
            "SuccessTopic": self.success_topic,
            "ErrorTopic": self.error_topic,
        }
        if self.include_response_in is not None:
            notification["IncludeInferenceResponseIn"] = list(self.include_response_in)
        output = {**output, "NotificationConfig": notification}
        if self.failure_path is not None:
            output["S3FailurePath"] = self.failure_path
        return {**fields, "AsyncInferenceConfig": {**asynchronous, "OutputConfig": output}}

    @property
    def needs(self) -> list[RequiredPermission]:
        """What an execution role must be allowed for it."""
        topics = dict.fromkeys((self.success_topic, self.error_topic))
        needs = [RequiredPermission(action=PUBLISH, resource=each) for each in topics]
        if self.failure_path:
            partition = self.success_topic.split(":")[1]
            needs.append(write_permission(partition, self.failure_path))
        return needs


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachPlan:
    """What is to be done to an endpoint, and the members of its config that change by it.

    `remarks` are sentences on what one may not expect.
    """

    endpoint: Endpoint
    target: EndpointConfig
    changes: tuple[Change, ...]
    rights: tuple[RolePermissions, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether the endpoint is as planned already."""
        return self.target.name == self.endpoint.config_name

    def raise_for_rights(self) -> None:
        """Raises PermissionsMissing if a role is known to lack some."""
        lacking = [each.role_arn for each in self.rights if each.missing]
        if lacking:
            raise PermissionsMissing(self.endpoint.name, lacking)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAttacher:
    """All methods raise the client's errors: NotAuthorized and ServiceUnavailable, and as said."""

    endpoints: Endpoints
    configs: EndpointConfigs
    rights: PermissionSimulator

    def plan(self, endpoint_name: str, wires: Attachment) -> AttachPlan:
        """Raises EndpointNotFound, InvalidRequest or EndpointNotAttachable."""
        endpoint, former = self._current(endpoint_name)
        if "AsyncInferenceConfig" not in former.fields:
            raise EndpointNotAttachable(
                endpoint_name,
                f"it is not asynchronous: {former.name} has no AsyncInferenceConfig",
            )
        fields = wires.within(former.fields)
        found = changes(former.fields, fields)
        if not found:
            return AttachPlan(endpoint=endpoint, target=former, changes=())
        own = {key: each for key, each in former.tags.items() if not key.startswith(_RESERVED)}
        # A copy of a copy leads back to where the first one does.
        tags = {FORMER_TAG: former.name, **own}
        roles = self.rights.roles(endpoint_name, fields)
        return AttachPlan(
            endpoint=endpoint,
            target=EndpointConfig(
                name=copy_name(former.name, fields, tags), fields=fields, tags=tags
            ),
            changes=found,
            rights=tuple(self.rights.check(each, wires.needs) for each in roles),
            remarks=(*_failure_remarks(fields), *self._tag_remarks(endpoint, former)),
        )

    def plan_back(self, endpoint_name: str) -> AttachPlan:
        """Raises EndpointNotFound, InvalidRequest or EndpointNotAttachable."""
        endpoint, current = self._current(endpoint_name)
        former_name = current.tags.get(FORMER_TAG)
        if former_name is None:
            raise EndpointNotAttachable(
                endpoint_name,
                f"it was not wired: its config {current.name} has no tag {FORMER_TAG}",
            )
        former = self.configs.read(endpoint_name, former_name)
        if former is None:
            raise EndpointNotAttachable(endpoint_name, f"its former config {former_name} is gone")
        found = changes(current.fields, former.fields)
        return AttachPlan(
            endpoint=endpoint, target=former, changes=found, remarks=tuple(_other_remarks(found))
        )

    def apply(
        self,
        plan: AttachPlan,
        timeout: float,
        progress: Callable[[str], None] = lambda status: None,
    ) -> None:
        """Return when the endpoint is in service as planned; `progress` is told of each status.

        Raises PermissionsMissing, EndpointNotAttachable, InvalidRequest, UpdateFailed or UpdateTimeout.
        """
        plan.raise_for_rights()
        self.configs.ensure(plan.endpoint.name, plan.target)
        self.endpoints.update(plan.endpoint, plan.target.name, timeout, progress)

    def _current(self, endpoint_name: str) -> tuple[Endpoint, EndpointConfig]:
        endpoint = self.endpoints.read_in_service(endpoint_name)
        config = self.configs.read(endpoint_name, endpoint.config_name)
        if config is None:
            raise EndpointNotAttachable(
                endpoint_name, f"its config {endpoint.config_name} was deleted"
            )
        return endpoint, config

    def _tag_remarks(self, endpoint: Endpoint, former: EndpointConfig) -> list[str]:
        reserved = [key for key in former.tags if key.startswith(_RESERVED)]
        tags = {**self.configs.tags(endpoint.arn), **former.tags}
        remarks = []
        if _STACK_TAG in tags:
            remarks.append(
                f"CloudFormation manages it, in the stack {tags[_STACK_TAG]}, whose next update of"
                " it undoes this: name the topics in its template too"
            )
        if reserved:
            remarks.append(f"tags that only AWS can set are not copied: {', '.join(reserved)}")
        return remarks


def _failure_remarks(fields: Mapping[str, Any]) -> list[str]:
    if fields["AsyncInferenceConfig"]["OutputConfig"].get("S3FailurePath"):
        return []
    return ["it has no S3FailurePath: what the model answers when it fails is kept nowhere"]


def _other_remarks(found: Iterable[Change]) -> list[str]:
    """A pipeline may have copied a wired config with its tags, and changed the model since."""
    if all(each.path.startswith(_WIRED) for each in found):
        return []
    return ["the config has changed since it was wired: going back changes more than the wiring"]
