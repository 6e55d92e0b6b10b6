"""Endpoint configs of SageMaker: read whole, compared, and written as copies.

Which members a config has is botocore's knowledge, not this module's: what CreateEndpointConfig
takes is copied. A member that AWS answers with and an older botocore does not know would be lost in
the parsing, so the answer is looked at as it came, too.
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

_MAX_NAME: Final = 63
_DIGEST_LENGTH: Final = 10
_COPY_NAME: Final = re.compile(rf"(.+)-wired-[0-9a-f]{{{_DIGEST_LENGTH}}}")
_RECEIVED: Final = "response-received.sagemaker.DescribeEndpointConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """`fields` are what CreateEndpointConfig takes besides the name and the tags."""

    name: str
    fields: Mapping[str, Any]
    tags: Mapping[str, str]

    @property
    def request(self) -> dict[str, Any]:
        """The parameters of CreateEndpointConfig."""
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        return {"EndpointConfigName": self.name, **self.fields, "Tags": tags}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A member by its path, and its value as text: None where it is not there."""

    path: str
    before: str | None
    after: str | None


class EndpointConfigs:
    """Those of the account and region of a SageMaker client of boto3."""

    def __init__(self, sagemaker: Any) -> None:
        self._sagemaker = sagemaker

    def read(self, endpoint_name: str, config_name: str) -> EndpointConfig | None:
        """None if there is none of that name.

        Raises EndpointNotAttachable if this botocore does not know all of its members.
        """
        with translate_aws_errors("sagemaker"):
            try:
                answer, body = self._described(config_name)
            except ClientError as error:
                # The name has the right form: an endpoint has it.
                if is_validation_error(error):
                    return None
                raise
        shape = self._shape("DescribeEndpointConfig", "output")
        if unknown := dict.fromkeys(_unknown(json.loads(body), shape)):
            raise EndpointNotAttachable(
                endpoint_name,
                f"its config {config_name} has {', '.join(unknown)}, which this version of boto3"
                " does not know, and a copy would lack: install a newer one",
            )
        members = self._shape("CreateEndpointConfig", "input").members
        return EndpointConfig(
            name=config_name,
            fields={
                name: answer[name]
                for name in members
                if name in answer and name != "EndpointConfigName"
            },
            tags=self.tags(answer["EndpointConfigArn"]),
        )

    def tags(self, arn: str) -> dict[str, str]:
        with translate_aws_errors("sagemaker"):
            pages = self._sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
            return {each["Key"]: each["Value"] for page in pages for each in page["Tags"]}

    def ensure(self, endpoint_name: str, config: EndpointConfig) -> None:
        """Create it, unless it is there already.

        Raises EndpointNotAttachable if another is there under its name.
        """
        there = self.read(endpoint_name, config.name)
        if there is None:
            with translate_aws_errors("sagemaker"):
                self._sagemaker.create_endpoint_config(**config.request)
        # Whoever governs the account may have added tags.
        elif there.fields != config.fields or not config.tags.items() <= there.tags.items():
            raise EndpointNotAttachable(
                endpoint_name, f"there is an endpoint config {config.name} that differs: remove it"
            )

    def _described(self, config_name: str) -> tuple[dict[str, Any], bytes]:
        """The answer as botocore parses it, and as it came."""
        bodies: list[bytes] = []

        def keep(response_dict: Mapping[str, Any] | None, **_: Any) -> None:
            if response_dict is not None:
                bodies.append(response_dict["body"])

        events = self._sagemaker.meta.events
        events.register(_RECEIVED, keep)
        try:
            answer = self._sagemaker.describe_endpoint_config(EndpointConfigName=config_name)
        finally:
            events.unregister(_RECEIVED, keep)
        return answer, bodies[-1]

    def _shape(self, operation: str, direction: str) -> StructureShape:
        model = self._sagemaker.meta.service_model.operation_model(operation)
        shape: StructureShape = getattr(model, f"{direction}_shape")
        return shape


def copy_name(former: str, fields: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """The same for the same content, so that a repeated run finds what the first one created."""
    content = json.dumps([fields, tags], sort_keys=True).encode()
    suffix = f"-wired-{hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]}"
    copied = _COPY_NAME.fullmatch(former)
    stem = copied[1] if copied else former
    return stem[: _MAX_NAME - len(suffix)] + suffix


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every member that differs, in the order of the members."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return tuple(
        Change(path=path, before=old.get(path), after=new.get(path))
        for path in dict.fromkeys([*old, *new])
        if old.get(path) != new.get(path)
    )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Values by their paths, such as `ProductionVariants[0].ModelName`."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for index, each in enumerate(value):
            yield from _leaves(each, f"{path}[{index}]")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def _unknown(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Paths of what is in a JSON answer and not in its shape."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in value.items():
            inner = f"{path}.{name}" if path else name
            if name not in shape.members:
                yield inner
            else:
                yield from _unknown(member, shape.members[name], inner)
    elif isinstance(shape, ListShape) and isinstance(value, Sequence):
        for each in value:
            yield from _unknown(each, shape.member, path)
