"""What execution roles may do, as IAM's simulation tells it beforehand.

SageMaker publishes and writes as the model's execution role, or as the endpoint config's own. The
simulation knows identity policies, boundaries and service control policies; of KMS keys and of the
policies of topics and buckets it says nothing.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from inference_results.adapters.aws.calls import is_transient
from inference_results.client.errors import InvalidRequest
from inference_results.client.transports.aws_errors import is_validation_error, translate_aws_errors
from inference_results.operations.errors import EndpointNotAttachable

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

PUBLISH: Final = "sns:Publish"
WRITE: Final = "s3:PutObject"

_PATH: Final = re.compile(r"s3://([^/]+)/?(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredPermission:
    """An action on a resource, by its ARN."""

    action: str
    resource: str


def write_permission(partition: str, path: str) -> RequiredPermission:
    """What it takes to write below `s3://bucket/prefix`. Raises InvalidRequest."""
    place = _PATH.fullmatch(path)
    if place is None:
        raise InvalidRequest(f"expected s3://bucket/prefix/, not {path}")
    prefix = place[2].rstrip("/") + "/" if place[2] else ""
    return RequiredPermission(action=WRITE, resource=f"arn:{partition}:s3:::{place[1]}/{prefix}*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePermissions:
    """What a role lacks of what it needs.

    `unknown` is why that could not be told, where it could not: AWS's code.
    """

    role_arn: str
    needs: tuple[RequiredPermission, ...]
    missing: tuple[RequiredPermission, ...] = ()
    unknown: str | None = None

    @property
    def statements(self) -> str:
        """What is to be added to a policy of the role: statements as JSON."""
        return json.dumps(
            [
                {"Effect": "Allow", "Action": action, "Resource": resources}
                for action, resources in _by_action(self.missing).items()
            ]
        )

    @property
    def commands(self) -> Iterator[str]:
        """How somebody who may simulate can ask."""
        for action, resources in _by_action(self.needs).items():
            yield shlex.join(
                [
                    *("aws", "iam", "simulate-principal-policy"),
                    *("--policy-source-arn", self.role_arn, "--action-names", action),
                    *("--resource-arns", *resources),
                    *("--query", "EvaluationResults[].[EvalResourceName,EvalDecision]"),
                ]
            )


class _Untold(Exception):
    """The simulation cannot tell; the text is why."""


class PermissionSimulator:
    """Asks under the rights of a SageMaker and an IAM client of boto3."""

    def __init__(self, sagemaker: Any, iam: "IAMClient") -> None:
        self._sagemaker = sagemaker
        self._iam = iam

    def roles(self, endpoint_name: str, fields: Mapping[str, Any]) -> list[str]:
        """The roles of an endpoint config: its own, and those of its models.

        Raises EndpointNotAttachable if a model is gone, without which there can be no copy.
        """
        named = [fields["ExecutionRoleArn"]] if "ExecutionRoleArn" in fields else []
        names = dict.fromkeys(_models(fields))
        models = (self._role_of_model(endpoint_name, each) for each in names)
        return list(dict.fromkeys([*named, *models]))

    def check(self, role_arn: str, needs: Sequence[RequiredPermission]) -> RolePermissions:
        rights = RolePermissions(role_arn=role_arn, needs=tuple(needs))
        try:
            with translate_aws_errors("iam"):
                missing = tuple(each for each in needs if not self._is_allowed(role_arn, each))
        except _Untold as untold:
            return replace(rights, unknown=str(untold))
        return replace(rights, missing=missing)

    def _is_allowed(self, role_arn: str, need: RequiredPermission) -> bool:
        try:
            answer = self._iam.simulate_principal_policy(
                PolicySourceArn=role_arn,
                ActionNames=[need.action],
                ResourceArns=[need.resource],
            )
        except ClientError as error:
            if is_transient(error):
                raise
            raise _Untold(error.response["Error"]["Code"]) from error
        (result,) = answer["EvaluationResults"]
        if result["EvalDecision"] == "allowed":
            return True
        # A condition on what only a real request has: it may be allowed then.
        if lacking := result.get("MissingContextValues"):
            raise _Untold(f"it depends on {', '.join(lacking)}")
        return False

    def _role_of_model(self, endpoint_name: str, model_name: str) -> str:
        with translate_aws_errors("sagemaker"):
            try:
                answer = self._sagemaker.describe_model(ModelName=model_name)
            except ClientError as error:
                if is_validation_error(error):
                    raise EndpointNotAttachable(
                        endpoint_name, f"its model {model_name} was deleted: no config can name it"
                    ) from error
                raise
        role_arn: str = answer["ExecutionRoleArn"]
        return role_arn


def _models(fields: Mapping[str, Any]) -> Iterator[str]:
    """Names of the models of all variants. There are none where inference components are hosted."""
    for variants in ("ProductionVariants", "ShadowProductionVariants"):
        for variant in fields.get(variants, ()):
            pools = variant.get("InstancePools", ())
            named = (variant.get("ModelName"), *(each.get("ModelNameOverride") for each in pools))
            yield from filter(None, named)


def _by_action(needs: Sequence[RequiredPermission]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for need in needs:
        found.setdefault(need.action, []).append(need.resource)
    return found
