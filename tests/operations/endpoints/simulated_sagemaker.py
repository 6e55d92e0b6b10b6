"""Run the simulated SageMaker and a simulated IAM policy simulator in process, behind boto3."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

import boto3
import botocore.session
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ClientError
from botocore.model import ListShape, Shape, StructureShape

from local.simulated_sagemaker import ControlPlane

ACCOUNT = "123456789012"
SUCCESS = f"arn:aws:sns:us-east-1:{ACCOUNT}:completed"
ERROR = f"arn:aws:sns:us-east-1:{ACCOUNT}:failed"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/model-execution"
SERVICE = botocore.session.get_session().get_service_model("sagemaker")

_SIMULATED = """<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member>
<EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>
<EvalDecision>{decision}</EvalDecision>
<MissingContextValues>{missing}</MissingContextValues>
</member></EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"""
_IAM_ERROR = """<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message>
</Error><RequestId>1</RequestId></ErrorResponse>"""


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterable[bytes]:
        while part := self.read(1024):
            yield part


@dataclass
class SimulatedSageMaker:
    """The state of both services, and the requests to SageMaker."""

    denied: set[tuple[str, str]] = field(default_factory=set)
    """Role ARN and resource ARN."""
    missing_context: str = ""
    denied_topics: set[str] = field(default_factory=set)
    """Topics that nobody can publish to."""
    errors: dict[str, str] = field(default_factory=dict)
    """Error codes by operation."""
    new_members: dict[str, Any] = field(default_factory=dict)
    """Members of DescribeEndpointConfig's response that botocore does not know."""
    published: list[str] = field(default_factory=list)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Operations and their parameters."""

    def __post_init__(self) -> None:
        self.plane = ControlPlane(
            account=ACCOUNT, region="us-east-1", publish=self._publish, updating_seconds=0
        )

    @contextmanager
    def behind(self, session: boto3.Session) -> Iterator[None]:
        """Respond to clients that are created from the session in this block."""
        handlers = {"before-send.sagemaker": self._sagemaker, "before-send.iam": self._iam}
        for event, handler in handlers.items():
            session.events.register(event, handler)
        yield
        for event, handler in handlers.items():
            session.events.unregister(event, handler)

    def changes(self) -> list[str]:
        """The operations that change something, in order."""
        return [name for name, _ in self.requests if not name.startswith(("Describe", "List"))]

    def request(self, operation: str) -> dict[str, Any]:
        """The parameters of the only request of this operation."""
        (request,) = [parameters for name, parameters in self.requests if name == operation]
        return request

    def _sagemaker(self, request: AWSRequest, **_: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"].decode()
        operation = target.partition(".")[2]
        self.requests.append((operation, json.loads(request.body)))
        if operation in self.errors:
            document = {"__type": self.errors[operation], "message": "not\ntoday"}
            return _response(request, 400, json.dumps(document))
        status, document = self.plane.handle(target, request.body)
        if operation == "DescribeEndpointConfig":
            document = document | self.new_members
        return _response(request, status, json.dumps(document))

    def _iam(self, request: AWSRequest, **_: Any) -> AWSResponse:
        parameters = {name: values[0] for name, values in parse_qs(request.body).items()}
        if code := self.errors.get(parameters["Action"]):
            return _response(request, 403, _IAM_ERROR.format(code=code))
        resource = parameters["ResourceArns.member.1"]
        is_denied = (parameters["PolicySourceArn"], resource) in self.denied
        missing = f"<member>{self.missing_context}</member>" if self.missing_context else ""
        body = _SIMULATED.format(
            action=parameters["ActionNames.member.1"],
            resource=resource,
            decision="implicitDeny" if is_denied else "allowed",
            missing=missing,
        )
        return _response(request, 200, body)

    def _publish(self, role_arn: str, topic_arn: str, message: str) -> None:
        if topic_arn in self.denied_topics:
            raise ClientError({"Error": {"Code": "AuthorizationError"}}, "Publish")
        self.published.append(topic_arn)


def _response(request: AWSRequest, status: int, body: str) -> AWSResponse:
    return AWSResponse(request.url, status, {}, _Raw(body.encode()))


class ValueGenerator:
    """Generate a value for every member of a shape. All texts are different."""

    def __init__(self) -> None:
        self._count = 0

    def value(self, shape: Shape) -> Any:
        if isinstance(shape, StructureShape):
            return {name: self.value(member) for name, member in shape.members.items()}
        if isinstance(shape, ListShape):
            return [self.value(shape.member) for _ in range(2)]
        self._count += 1
        match shape.type_name:
            case "string":
                return shape.enum[0] if shape.enum else self._text(shape)
            case "integer" | "long":
                return shape.metadata.get("min", 0) + 1
            case "float" | "double":
                return self._count / 8
            case "boolean":
                return True
        raise AssertionError(f"cannot generate a value of type {shape.type_name}")

    def _text(self, shape: Shape) -> str:
        return f"v{self._count}".ljust(shape.metadata.get("min", 0), "x")


def paths(value: Any, path: str = "") -> set[str]:
    """The paths of all members of a value. List elements have no index."""
    if isinstance(value, dict):
        inner = (paths(member, f"{path}.{name}") for name, member in value.items())
        return {path}.union(*inner)
    if isinstance(value, list):
        return {path}.union(*(paths(each, path) for each in value))
    return {path}


def shape_paths(shape: Shape, path: str = "") -> set[str]:
    if isinstance(shape, StructureShape):
        inner = (shape_paths(each, f"{path}.{name}") for name, each in shape.members.items())
        return {path}.union(*inner)
    if isinstance(shape, ListShape):
        return shape_paths(shape.member, path)
    return {path}
