"""Endpoints of SageMaker: their state, and their update to another endpoint config."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from inference_results.client.errors import InvalidRequest, ServiceUnavailable
from inference_results.client.transports.aws_errors import is_validation_error, translate_aws_errors
from inference_results.operations.errors import (
    EndpointNotAttachable,
    EndpointNotFound,
    UpdateFailed,
    UpdateTimeout,
)

_NAME: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_IN_SERVICE: Final = "InService"
_UNDER_WAY: Final = frozenset({"Updating", "SystemUpdating", "RollingBack"})
_FIRST_PAUSE_SECONDS: Final = 1
_LONGEST_PAUSE_SECONDS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """As DescribeEndpoint tells it."""

    name: str
    arn: str
    status: str
    config_name: str
    failure_reason: str | None
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Those of the account and region of a SageMaker client of boto3."""

    sagemaker: Any
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def read(self, name: str) -> Endpoint:
        """Raises EndpointNotFound, or InvalidRequest for what can be no endpoint's name."""
        if not _NAME.fullmatch(name):
            raise InvalidRequest("expected at most 63 letters, digits and hyphens", "endpoint")
        with translate_aws_errors("sagemaker"):
            try:
                answer = self.sagemaker.describe_endpoint(EndpointName=name)
            except ClientError as error:
                # Nothing else than the name can be invalid, and it has the right form.
                if is_validation_error(error):
                    raise EndpointNotFound(name) from error
                raise
        return Endpoint(
            name=name,
            arn=answer["EndpointArn"],
            status=answer["EndpointStatus"],
            config_name=answer.get("EndpointConfigName", ""),
            failure_reason=answer.get("FailureReason"),
            modified=answer["LastModifiedTime"],
        )

    def read_in_service(self, name: str) -> Endpoint:
        """One that can be updated; raises also EndpointNotAttachable."""
        endpoint = self.read(name)
        if endpoint.status != _IN_SERVICE:
            raise EndpointNotAttachable(name, f"it is {endpoint.status}, and must be {_IN_SERVICE}")
        return endpoint

    def update(
        self,
        before: Endpoint,
        config_name: str,
        timeout: float,
        progress: Callable[[str], None],
    ) -> None:
        """Return when it is in service with this config; `progress` is told of each status.

        Raises UpdateFailed, or UpdateTimeout within `timeout` seconds and one look.
        """
        deadline = self.clock() + timeout
        with translate_aws_errors("sagemaker"):
            self.sagemaker.update_endpoint(
                EndpointName=before.name,
                EndpointConfigName=config_name,
                # Else autoscaled instance counts and shifted weights would be reset.
                RetainAllVariantProperties=True,
                RetainDeploymentConfig=True,
            )
        pause: float = _FIRST_PAUSE_SECONDS
        status = "Updating"
        while True:
            try:
                now = self.read(before.name)
                status = now.status
                progress(status)
                if _is_settled(now, before, config_name):
                    return
            except ServiceUnavailable as error:
                trouble: ServiceUnavailable | None = error
            else:
                trouble = None
            left = deadline - self.clock()
            if left <= 0:
                raise UpdateTimeout(before.name, status, timeout) from trouble
            self.sleep(min(left, pause))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _is_settled(now: Endpoint, before: Endpoint, config_name: str) -> bool:
    """Whether the update has come to its end; raises UpdateFailed if it was another.

    A rollback ends in service too, with the former config.
    """
    if now.status == _IN_SERVICE and now.config_name == config_name:
        return True
    # For a moment after the call, an endpoint may be described as it was before.
    if now.status in _UNDER_WAY or now.modified == before.modified:
        return False
    raise UpdateFailed(now.name, now.status, now.config_name, now.failure_reason)
