"""Check the permissions of execution roles with IAM's policy simulator.

SageMaker publishes and writes with the model's execution role, or with the endpoint config's own.
The simulator covers identity policies, permissions boundaries and service control policies. It does
not cover KMS keys, topic policies and bucket policies.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from inference_results.adapters.aws.errors import is_transient
from inference_results.client.errors import InvalidRequest
from inference_results.client.transports.aws_errors import is_validation_error, translate_aws_errors
from inference_results.operations.errors import EndpointNotAttachable

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

PUBLISH: Final = "sns:Publish"
WRITE: Final = "s3:PutObject"

_S3_PATH: Final = re.compile(r"s3://([^/]+)/?(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredPermission:
    """An IAM action on a resource ARN."""

    action: str
    resource: str


def write_permission(partition: str, path: str) -> RequiredPermission:
    """Return the permission to write below `s3://bucket/prefix`. Raises InvalidRequest."""
    match = _S3_PATH.fullmatch(path)
    if match is None:
        raise InvalidRequest(f"expected s3://bucket/prefix/, got {path}")
    bucket, key = match.groups()
    prefix = key.rstrip("/") + "/" if key else ""
    return RequiredPermission(action=WRITE, resource=f"arn:{partition}:s3:::{bucket}/{prefix}*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePermissions:
    """The permissions that a role needs, and those that it lacks.

    `unknown` says why the simulator could not decide, for example with an AWS error code.
    """

    role_arn: str
    required: tuple[RequiredPermission, ...]
    missing: tuple[RequiredPermission, ...] = ()
    unknown: str | None = None

    @property
    def statements(self) -> str:
        """The policy statements that grant the missing permissions, as JSON."""
        return json.dumps(
            [
                {"Effect": "Allow", "Action": action, "Resource": resources}
                for action, resources in _by_action(self.missing).items()
            ]
        )

    @property
    def commands(self) -> Iterator[str]:
        """The AWS CLI commands that simulate the required permissions."""
        for action, resources in _by_action(self.required).items():
            yield shlex.join(
                [
                    *("aws", "iam", "simulate-principal-policy"),
                    *("--policy-source-arn", self.role_arn, "--action-names", action),
                    *("--resource-arns", *resources),
                    *("--query", "EvaluationResults[].[EvalResourceName,EvalDecision]"),
                ]
            )


class _Undecided(Exception):
    """The simulator could not decide. The text says why."""


class PermissionSimulator:
    """Find the roles of an endpoint config and simulate their permissions, with boto3 clients."""

    def __init__(self, sagemaker: Any, iam: "IAMClient") -> None:
        self._sagemaker = sagemaker
        self._iam = iam

    def role_arns(self, endpoint_name: str, fields: Mapping[str, Any]) -> list[str]:
        """Return the execution roles of an endpoint config: its own, and those of its models.

        Raises EndpointNotAttachable if a model was deleted: SageMaker would reject a copy.
        """
        own = [fields["ExecutionRoleArn"]] if "ExecutionRoleArn" in fields else []
        model_names = dict.fromkeys(_model_names(fields))
        models = (self._model_role_arn(endpoint_name, name) for name in model_names)
        return list(dict.fromkeys([*own, *models]))

    def check(self, role_arn: str, required: Sequence[RequiredPermission]) -> RolePermissions:
        """Simulate the required permissions of a role. Raises ServiceUnavailable."""
        permissions = RolePermissions(role_arn=role_arn, required=tuple(required))
        try:
            with translate_aws_errors("iam"):
                missing = tuple(each for each in required if not self._is_allowed(role_arn, each))
        except _Undecided as error:
            return replace(permissions, unknown=str(error))
        return replace(permissions, missing=missing)

    def _is_allowed(self, role_arn: str, permission: RequiredPermission) -> bool:
        try:
            response = self._iam.simulate_principal_policy(
                PolicySourceArn=role_arn,
                ActionNames=[permission.action],
                ResourceArns=[permission.resource],
            )
        except ClientError as error:
            if is_transient(error):
                raise
            raise _Undecided(error.response["Error"]["Code"]) from error
        (result,) = response["EvaluationResults"]
        if result["EvalDecision"] == "allowed":
            return True
        # A condition on context that only a real request has: IAM may allow that request.
        if missing_context := result.get("MissingContextValues"):
            raise _Undecided(f"it depends on {', '.join(missing_context)}")
        return False

    def _model_role_arn(self, endpoint_name: str, model_name: str) -> str:
        with translate_aws_errors("sagemaker"):
            try:
                response = self._sagemaker.describe_model(ModelName=model_name)
            except ClientError as error:
                if is_validation_error(error):
                    raise EndpointNotAttachable(
                        endpoint_name,
                        f"its model {model_name} was deleted: create it again, or update the"
                        " endpoint to another model first",
                    ) from error
                raise
        role_arn: str = response["ExecutionRoleArn"]
        return role_arn


def _model_names(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the models of all variants. A variant that hosts inference components has none."""
    for variants in ("ProductionVariants", "ShadowProductionVariants"):
        for variant in fields.get(variants, ()):
            pools = variant.get("InstancePools", ())
            names = (variant.get("ModelName"), *(pool.get("ModelNameOverride") for pool in pools))
            yield from filter(None, names)


def _by_action(permissions: Sequence[RequiredPermission]) -> dict[str, list[str]]:
    resources: dict[str, list[str]] = {}
    for permission in permissions:
        resources.setdefault(permission.action, []).append(permission.resource)
    return resources
