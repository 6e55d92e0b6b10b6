"""Attach an existing endpoint to this service's topics, and detach it.

Endpoint configs are immutable. `attach` copies the endpoint's config, sets the topics in the copy,
tags the copy with the name of the original, and updates the endpoint to the copy. A plan changes
nothing. Applying one is idempotent: repeat it after an interruption.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from inference_results.client.errors import InvalidRequest
from inference_results.operations.endpoints.configs import (
    ConfigChange,
    EndpointConfig,
    EndpointConfigs,
    copy_name,
    diff_configs,
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

ATTACHED_FROM_TAG: Final = "inference-results:attached-from"
"""The copy's tag with the name of the config that the endpoint had before it was attached."""

_ATTACHED_MEMBERS: Final = "AsyncInferenceConfig.OutputConfig."
_STACK_TAG: Final = "aws:cloudformation:stack-name"
_RESERVED_TAG_PREFIX: Final = "aws:"
_TOPIC_ARN: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]*:[0-9]{12}:[a-zA-Z0-9_.-]+")
_FAILURE_PATH: Final = re.compile(r"s3://[^/]+/?.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The notification settings for an endpoint config. None keeps the config's own value.

    Topics are ARNs, `failure_path` is `s3://bucket/prefix/`, and `include_response_in` contains
    `SUCCESS_NOTIFICATION_TOPIC`, `ERROR_NOTIFICATION_TOPIC` or both. Raises InvalidRequest.
    """

    success_topic: str
    error_topic: str
    failure_path: str | None = None
    include_response_in: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("success_topic", "error_topic"):
            if not _TOPIC_ARN.fullmatch(getattr(self, name)):
                raise InvalidRequest("expected the ARN of an SNS topic", name)
        if self.failure_path is not None and not _FAILURE_PATH.fullmatch(self.failure_path):
            raise InvalidRequest("expected s3://bucket/prefix/", "failure_path")

    def apply_to(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of an endpoint config's fields with these settings."""
        async_config = fields["AsyncInferenceConfig"]
        output = async_config["OutputConfig"]
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
        return {**fields, "AsyncInferenceConfig": {**async_config, "OutputConfig": output}}

    @property
    def required_permissions(self) -> list[RequiredPermission]:
        """The permissions that each execution role needs for these settings."""
        topics = dict.fromkeys((self.success_topic, self.error_topic))
        required = [RequiredPermission(action=PUBLISH, resource=topic) for topic in topics]
        if self.failure_path:
            partition = self.success_topic.split(":")[1]
            required.append(write_permission(partition, self.failure_path))
        return required


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachPlan:
    """The update of an endpoint to the config `target`, and the members that it changes.

    `warnings` describe side effects that the caller may not expect.
    """

    endpoint: Endpoint
    target: EndpointConfig
    changes: tuple[ConfigChange, ...]
    permissions: tuple[RolePermissions, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether the endpoint already has the target config."""
        return self.target.name == self.endpoint.config_name

    def raise_if_permissions_missing(self) -> None:
        """Raise PermissionsMissing if a role is known to lack a permission."""
        role_arns = [role.role_arn for role in self.permissions if role.missing]
        if role_arns:
            raise PermissionsMissing(self.endpoint.name, role_arns)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAttacher:
    """Plan and apply attach and detach.

    All methods also raise NotAuthorized, ServiceUnavailable and UnexpectedResponse.
    """

    endpoints: Endpoints
    configs: EndpointConfigs
    permissions: PermissionSimulator

    def plan_attach(self, endpoint_name: str, attachment: Attachment) -> AttachPlan:
        """Plan the update to an attached copy of the endpoint's config.

        Raises EndpointNotFound, InvalidRequest or EndpointNotAttachable.
        """
        endpoint, original = self._current(endpoint_name)
        if "AsyncInferenceConfig" not in original.fields:
            raise EndpointNotAttachable(
                endpoint_name,
                f"it is not asynchronous: its config {original.name} has no AsyncInferenceConfig",
            )
        fields = attachment.apply_to(original.fields)
        changes = diff_configs(original.fields, fields)
        if not changes:
            return AttachPlan(endpoint=endpoint, target=original, changes=())
        # A copy of a copy keeps the tag of the first copy: detach goes back to the original.
        tags = {ATTACHED_FROM_TAG: original.name} | {
            key: value
            for key, value in original.tags.items()
            if not key.startswith(_RESERVED_TAG_PREFIX)
        }
        role_arns = self.permissions.role_arns(endpoint_name, fields)
        required = attachment.required_permissions
        return AttachPlan(
            endpoint=endpoint,
            target=EndpointConfig(
                name=copy_name(original.name, fields, tags), fields=fields, tags=tags
            ),
            changes=changes,
            permissions=tuple(self.permissions.check(arn, required) for arn in role_arns),
            warnings=(*_failure_path_warnings(fields), *self._tag_warnings(endpoint, original)),
        )

    def plan_detach(self, endpoint_name: str) -> AttachPlan:
        """Plan the update back to the config from before the first attach.

        Raises EndpointNotFound, InvalidRequest or EndpointNotAttachable.
        """
        endpoint, current = self._current(endpoint_name)
        former_name = current.tags.get(ATTACHED_FROM_TAG)
        if former_name is None:
            raise EndpointNotAttachable(
                endpoint_name,
                f"it was not attached: its config {current.name} has no tag {ATTACHED_FROM_TAG}",
            )
        former = self.configs.read(endpoint_name, former_name)
        if former is None:
            raise EndpointNotAttachable(
                endpoint_name, f"its former config {former_name} was deleted: create it again"
            )
        changes = diff_configs(current.fields, former.fields)
        return AttachPlan(
            endpoint=endpoint,
            target=former,
            changes=changes,
            warnings=tuple(_detach_warnings(changes)),
        )

    def apply(
        self,
        plan: AttachPlan,
        timeout: float,
        progress: Callable[[str], None] = lambda status: None,
    ) -> None:
        """Update the endpoint and wait until it is in service with the target config.

        Waits up to `timeout` seconds, and calls `progress` with each status. Raises
        PermissionsMissing, EndpointNotAttachable, InvalidRequest, UpdateFailed or UpdateTimeout.
        """
        plan.raise_if_permissions_missing()
        self.configs.ensure(plan.endpoint.name, plan.target)
        self.endpoints.update(plan.endpoint, plan.target.name, timeout, progress)

    def _current(self, endpoint_name: str) -> tuple[Endpoint, EndpointConfig]:
        endpoint = self.endpoints.read_in_service(endpoint_name)
        config = self.configs.read(endpoint_name, endpoint.config_name)
        if config is None:
            raise EndpointNotAttachable(
                endpoint_name,
                f"its config {endpoint.config_name} was deleted: update it to another config first",
            )
        return endpoint, config

    def _tag_warnings(self, endpoint: Endpoint, original: EndpointConfig) -> list[str]:
        reserved = [key for key in original.tags if key.startswith(_RESERVED_TAG_PREFIX)]
        tags = {**self.configs.tags(endpoint.arn), **original.tags}
        warnings = []
        if _STACK_TAG in tags:
            warnings.append(
                f"the CloudFormation stack {tags[_STACK_TAG]} manages it, and undoes this when it"
                " next updates the endpoint: add the topics to its template"
            )
        if reserved:
            warnings.append(f"tags reserved by AWS are not copied: {', '.join(reserved)}")
        return warnings


def _failure_path_warnings(fields: Mapping[str, Any]) -> list[str]:
    if fields["AsyncInferenceConfig"]["OutputConfig"].get("S3FailurePath"):
        return []
    return ["it has no S3FailurePath: SageMaker does not store the model's error responses"]


def _detach_warnings(changes: Iterable[ConfigChange]) -> list[str]:
    """Warn if the attached config was copied and changed, for example by a deployment pipeline."""
    if all(change.path.startswith(_ATTACHED_MEMBERS) for change in changes):
        return []
    return ["the config has changed since it was attached: this also reverts those changes"]
