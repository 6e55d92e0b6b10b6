"""Read, compare and copy SageMaker endpoint configs.

A copy has every member that CreateEndpointConfig accepts, according to botocore's service model.
An older botocore would drop new members when it parses a response, so the raw response is checked
against the model too.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError
from botocore.model import ListShape, Shape, StructureShape

from inference_results.client.transports.aws_errors import is_validation_error, translate_aws_errors
from inference_results.operations.errors import EndpointNotAttachable

_MAX_NAME_LENGTH: Final = 63
_DIGEST_LENGTH: Final = 10
_COPY_NAME: Final = re.compile(rf"(.+)-attached-[0-9a-f]{{{_DIGEST_LENGTH}}}")
_RESPONSE_EVENT: Final = "response-received.sagemaker.DescribeEndpointConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """`fields` are the parameters of CreateEndpointConfig except the name and the tags."""

    name: str
    fields: Mapping[str, Any]
    tags: Mapping[str, str]

    @property
    def request(self) -> dict[str, Any]:
        """The parameters of CreateEndpointConfig."""
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        return {"EndpointConfigName": self.name, **self.fields, "Tags": tags}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """A member, such as `ProductionVariants[0].ModelName`, and its values; None if it is absent."""

    path: str
    before: str | None
    after: str | None


class EndpointConfigs:
    """Read and create endpoint configs with a boto3 SageMaker client."""

    def __init__(self, sagemaker: Any) -> None:
        self._sagemaker = sagemaker

    def read(self, endpoint_name: str, config_name: str) -> EndpointConfig | None:
        """Return the config, or None if it does not exist.

        Raises EndpointNotAttachable if it has members that the installed botocore does not know.
        """
        with translate_aws_errors("sagemaker"):
            try:
                response, body = self._describe(config_name)
            except ClientError as error:
                # The name itself is valid: an endpoint has it.
                if is_validation_error(error):
                    return None
                raise
        shape = self._shape("DescribeEndpointConfig", "output")
        if unknown := dict.fromkeys(_unknown_members(json.loads(body), shape)):
            raise EndpointNotAttachable(
                endpoint_name,
                f"its config {config_name} has {', '.join(unknown)}, which the installed boto3 does"
                " not know and cannot copy: install a newer version",
            )
        members = self._shape("CreateEndpointConfig", "input").members
        return EndpointConfig(
            name=config_name,
            fields={
                name: response[name]
                for name in members
                if name in response and name != "EndpointConfigName"
            },
            tags=self.tags(response["EndpointConfigArn"]),
        )

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of an endpoint or endpoint config."""
        with translate_aws_errors("sagemaker"):
            pages = self._sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def ensure(self, endpoint_name: str, config: EndpointConfig) -> None:
        """Create the config unless it exists.

        Raises EndpointNotAttachable if a different config has its name.
        """
        existing = self.read(endpoint_name, config.name)
        if existing is None:
            with translate_aws_errors("sagemaker"):
                self._sagemaker.create_endpoint_config(**config.request)
        # Additional tags are fine: governance tools add them.
        elif existing.fields != config.fields or not config.tags.items() <= existing.tags.items():
            raise EndpointNotAttachable(
                endpoint_name,
                f"an endpoint config {config.name} exists and differs: delete it and try again",
            )

    def _describe(self, config_name: str) -> tuple[dict[str, Any], bytes]:
        """Return the response as botocore parses it, and its raw body."""
        bodies: list[bytes] = []

        def keep_body(response_dict: Mapping[str, Any] | None, **_: Any) -> None:
            if response_dict is not None:
                bodies.append(response_dict["body"])

        events = self._sagemaker.meta.events
        events.register(_RESPONSE_EVENT, keep_body)
        try:
            response = self._sagemaker.describe_endpoint_config(EndpointConfigName=config_name)
        finally:
            events.unregister(_RESPONSE_EVENT, keep_body)
        return response, bodies[-1]

    def _shape(self, operation: str, direction: str) -> StructureShape:
        model = self._sagemaker.meta.service_model.operation_model(operation)
        shape: StructureShape = getattr(model, f"{direction}_shape")
        return shape


def copy_name(original: str, fields: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """Name a copy by its content, so that a rerun finds the copy that the first run created."""
    content = json.dumps([fields, tags], sort_keys=True).encode()
    suffix = f"-attached-{hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]}"
    copy = _COPY_NAME.fullmatch(original)
    stem = copy[1] if copy else original
    return stem[: _MAX_NAME_LENGTH - len(suffix)] + suffix


def diff_configs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[ConfigChange, ...]:
    """Return every member that differs, in the order of the members."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return tuple(
        ConfigChange(path=path, before=old.get(path), after=new.get(path))
        for path in dict.fromkeys([*old, *new])
        if old.get(path) != new.get(path)
    )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield paths, such as `ProductionVariants[0].ModelName`, and values as text."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(element, Mapping) for element in value):
        for index, element in enumerate(value):
            yield from _leaves(element, f"{path}[{index}]")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def _unknown_members(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Yield the paths of members of a JSON response that its shape does not have."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in value.items():
            member_path = f"{path}.{name}" if path else name
            if name not in shape.members:
                yield member_path
            else:
                yield from _unknown_members(member, shape.members[name], member_path)
    elif isinstance(shape, ListShape) and isinstance(value, Sequence):
        for element in value:
            yield from _unknown_members(element, shape.member, path)
