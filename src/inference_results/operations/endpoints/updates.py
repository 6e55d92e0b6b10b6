"""Read SageMaker endpoints, and update them to another endpoint config."""

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
_UPDATING: Final = frozenset({"Updating", "SystemUpdating", "RollingBack"})
_FIRST_PAUSE_SECONDS: Final = 1
_MAX_PAUSE_SECONDS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint as DescribeEndpoint returns it."""

    name: str
    arn: str
    status: str
    config_name: str
    failure_reason: str | None
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Read and update endpoints with a boto3 SageMaker client."""

    sagemaker: Any
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def read(self, name: str) -> Endpoint:
        """Return an endpoint. Raises EndpointNotFound, or InvalidRequest if the name is invalid."""
        if not _NAME.fullmatch(name):
            raise InvalidRequest(
                "expected at most 63 alphanumeric characters and hyphens", "endpoint"
            )
        with translate_aws_errors("sagemaker"):
            try:
                response = self.sagemaker.describe_endpoint(EndpointName=name)
            except ClientError as error:
                # The name is the only parameter, and it is valid.
                if is_validation_error(error):
                    raise EndpointNotFound(name) from error
                raise
        return Endpoint(
            name=name,
            arn=response["EndpointArn"],
            status=response["EndpointStatus"],
            config_name=response.get("EndpointConfigName", ""),
            failure_reason=response.get("FailureReason"),
            modified=response["LastModifiedTime"],
        )

    def read_in_service(self, name: str) -> Endpoint:
        """Return an endpoint. Raises EndpointNotAttachable, too, if it is not in service."""
        endpoint = self.read(name)
        if endpoint.status != _IN_SERVICE:
            raise EndpointNotAttachable(
                name, f"it is {endpoint.status}, expected {_IN_SERVICE}: wait or repair it first"
            )
        return endpoint

    def update(
        self,
        before: Endpoint,
        config_name: str,
        timeout: float,
        progress: Callable[[str], None],
    ) -> None:
        """Update the endpoint and wait until it is in service with the new config.

        Calls `progress` with each status. Raises UpdateFailed, or UpdateTimeout after `timeout`
        seconds.
        """
        deadline = self.clock() + timeout
        with translate_aws_errors("sagemaker"):
            self.sagemaker.update_endpoint(
                EndpointName=before.name,
                EndpointConfigName=config_name,
                # Otherwise SageMaker resets autoscaled instance counts and shifted weights.
                RetainAllVariantProperties=True,
                RetainDeploymentConfig=True,
            )
        pause: float = _FIRST_PAUSE_SECONDS
        status = "Updating"
        while True:
            last_error: ServiceUnavailable | None = None
            try:
                endpoint = self.read(before.name)
                status = endpoint.status
                progress(status)
                if _is_complete(endpoint, before, config_name):
                    return
            except ServiceUnavailable as error:
                last_error = error
            seconds_left = deadline - self.clock()
            if seconds_left <= 0:
                raise UpdateTimeout(before.name, status, timeout) from last_error
            self.sleep(min(seconds_left, pause))
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def _is_complete(now: Endpoint, before: Endpoint, config_name: str) -> bool:
    """Return whether the update has succeeded. Raises UpdateFailed if it has failed.

    After a rollback the endpoint is in service too, but with the former config.
    """
    if now.status == _IN_SERVICE and now.config_name == config_name:
        return True
    # Shortly after UpdateEndpoint, DescribeEndpoint can still return the state from before it.
    if now.status in _UPDATING or now.modified == before.modified:
        return False
    raise UpdateFailed(now.name, now.status, now.config_name, now.failure_reason)
