"""A pretend control plane of SageMaker: models, endpoint configs, endpoints and tags, in memory.

It speaks the JSON protocol of the operations below, checks their parameters against botocore's own
model, and keeps every member of models and endpoint configs. An endpoint is Creating or Updating
for a moment. When its config names topics, a test notification is published under the execution
role; if that is refused, a new endpoint is Failed, and an updated one stays as it was. Instances
and weights are not pretended.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.exceptions import ClientError
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

_TARGET_PREFIX: Final = "SageMaker."
_ARN_KINDS: Final = {"Model": "model", "EndpointConfig": "endpoint-config"}
_TEST_NOTIFICATION: Final = json.dumps(
    {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
)

Document = dict[str, Any]


@cache
def _service() -> ServiceModel:
    return botocore.session.get_session().get_service_model("sagemaker")


class Refusal(Exception):
    """Answered as SageMaker's ValidationException."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What is in service: AsyncInferenceConfig as the endpoint config says, and the role."""

    role_arn: str
    async_inference_config: Document


@dataclass(kw_only=True)
class _Endpoint:
    """`config_name` is that in service, or that of a creation; `pending` what comes after it."""

    arn: str
    created: float
    modified: float
    config_name: str
    status: str = "Creating"
    failure_reason: str | None = None
    pending: str = ""
    settled_at: float = 0


@dataclass(kw_only=True)
class ControlPlane:
    """`publish(role_arn, topic_arn, message)` raises botocore's ClientError if it is refused."""

    account: str
    region: str
    publish: Callable[[str, str, str], None]
    updating_seconds: float = 1
    clock: Callable[[], float] = time.time
    _models: dict[str, Document] = field(default_factory=dict)
    _configs: dict[str, Document] = field(default_factory=dict)
    _endpoints: dict[str, _Endpoint] = field(default_factory=dict)
    _tags: dict[str, dict[str, str]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._operations: dict[str, Callable[[Document], Document]] = {
            "CreateModel": self._create_model,
            "DescribeModel": self._describe_model,
            "CreateEndpointConfig": self._create_endpoint_config,
            "DescribeEndpointConfig": self._describe_endpoint_config,
            "DeleteEndpointConfig": self._delete_endpoint_config,
            "CreateEndpoint": self._create_endpoint,
            "DescribeEndpoint": self._describe_endpoint,
            "ListEndpoints": self._list_endpoints,
            "UpdateEndpoint": self._update_endpoint,
            "DeleteEndpoint": self._delete_endpoint,
            "ListTags": self._list_tags,
            "AddTags": self._add_tags,
        }

    def answer(self, target: str, body: bytes) -> tuple[int, Document]:
        """HTTP status and document for a request's X-Amz-Target and body."""
        operation = target.removeprefix(_TARGET_PREFIX)
        try:
            if operation not in self._operations:
                raise Refusal(f"{operation} is not pretended")
            parameters = self._validated(operation, body)
            with self._lock:
                return 200, self._operations[operation](parameters)
        except Refusal as refusal:
            return 400, {"__type": "ValidationException", "message": str(refusal)}

    def deployed(self, endpoint_name: str) -> Deployed | None:
        """None for an endpoint that was never created. Raises Refusal if it cannot be invoked."""
        with self._lock:
            if endpoint_name not in self._endpoints:
                return None
            endpoint = self._settled(endpoint_name)
            if endpoint.status not in ("InService", "Updating"):
                raise Refusal(f"Endpoint {endpoint_name} is {endpoint.status}.")
            config = self._configs[endpoint.config_name]
            if "AsyncInferenceConfig" not in config:
                raise Refusal(f"Endpoint {endpoint_name} is not asynchronous.")
            return Deployed(
                role_arn=self._role_arn(config),
                async_inference_config=config["AsyncInferenceConfig"],
            )

    def _validated(self, operation: str, body: bytes) -> Document:
        parameters: Document = json.loads(body or b"{}")
        shape = _service().operation_model(operation).input_shape
        assert shape is not None
        report = ParamValidator().validate(parameters, shape)
        if report.has_errors():
            raise Refusal(" ".join(report.generate_report().split()))
        return parameters

    def _create_model(self, request: Document) -> Document:
        arn = self._stored(self._models, "Model", request)
        return {"ModelArn": arn}

    def _describe_model(self, request: Document) -> Document:
        return self._found(self._models, "Model", request)

    def _create_endpoint_config(self, request: Document) -> Document:
        variants = (*request["ProductionVariants"], *request.get("ShadowProductionVariants", ()))
        for variant in variants:
            if "ModelName" in variant:
                self._found(self._models, "Model", variant)
        arn = self._stored(self._configs, "EndpointConfig", request)
        return {"EndpointConfigArn": arn}

    def _describe_endpoint_config(self, request: Document) -> Document:
        return self._found(self._configs, "EndpointConfig", request)

    def _delete_endpoint_config(self, request: Document) -> Document:
        config = self._found(self._configs, "EndpointConfig", request)
        del self._configs[request["EndpointConfigName"]]
        self._tags.pop(config["EndpointConfigArn"], None)
        return {}

    def _create_endpoint(self, request: Document) -> Document:
        name, config_name = request["EndpointName"], request["EndpointConfigName"]
        if name in self._endpoints:
            raise Refusal(f"Cannot create already existing endpoint {name}.")
        self._found(self._configs, "EndpointConfig", request)
        now = self.clock()
        arn = self._arn("endpoint", name)
        self._endpoints[name] = _Endpoint(
            arn=arn, created=now, modified=now, config_name=config_name
        )
        self._tag(arn, request.get("Tags", []))
        self._deploy(self._endpoints[name], config_name)
        return {"EndpointArn": arn}

    def _describe_endpoint(self, request: Document) -> Document:
        name = request["EndpointName"]
        endpoint = self._settled(name)
        config = self._configs.get(endpoint.config_name, {})
        failed = endpoint.failure_reason and not endpoint.pending
        reason = {"FailureReason": endpoint.failure_reason} if failed else {}
        return {
            "EndpointName": name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.config_name,
            "EndpointStatus": endpoint.status,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.modified,
            "ProductionVariants": [
                {"VariantName": each["VariantName"]}
                for each in config.get("ProductionVariants", [])
            ],
            **reason,
        }

    def _list_endpoints(self, request: Document) -> Document:
        """All at once, newest first; no filter is pretended."""
        described = [self._describe_endpoint({"EndpointName": each}) for each in self._endpoints]
        members = (
            *("EndpointName", "EndpointArn", "EndpointStatus"),
            *("CreationTime", "LastModifiedTime"),
        )
        listed = [{name: each[name] for name in members} for each in described]
        return {"Endpoints": sorted(listed, key=lambda each: -each["CreationTime"])}

    def _delete_endpoint(self, request: Document) -> Document:
        self._settled(request["EndpointName"])
        endpoint = self._endpoints.pop(request["EndpointName"])
        self._tags.pop(endpoint.arn, None)
        return {}

    def _update_endpoint(self, request: Document) -> Document:
        endpoint = self._settled(request["EndpointName"])
        if endpoint.status != "InService":
            raise Refusal(f"Cannot update an endpoint that is {endpoint.status}.")
        self._found(self._configs, "EndpointConfig", request)
        endpoint.status = "Updating"
        endpoint.failure_reason = None
        self._deploy(endpoint, request["EndpointConfigName"])
        return {"EndpointArn": endpoint.arn}

    def _list_tags(self, request: Document) -> Document:
        tags = self._tags.get(request["ResourceArn"], {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _add_tags(self, request: Document) -> Document:
        self._tag(request["ResourceArn"], request["Tags"])
        return self._list_tags(request)

    def _deploy(self, endpoint: _Endpoint, config_name: str) -> None:
        endpoint.pending = config_name
        endpoint.modified = self.clock()
        endpoint.settled_at = endpoint.modified + self.updating_seconds
        endpoint.failure_reason = self._refused_notification(self._configs[config_name])

    def _settled(self, name: str) -> _Endpoint:
        if name not in self._endpoints:
            raise Refusal(f'Could not find endpoint "{self._arn("endpoint", name)}".')
        endpoint = self._endpoints[name]
        if endpoint.pending and self.clock() >= endpoint.settled_at:
            if endpoint.failure_reason is None:
                endpoint.config_name = endpoint.pending
            is_created = endpoint.status == "Updating" or endpoint.failure_reason is None
            endpoint.status = "InService" if is_created else "Failed"
            endpoint.pending = ""
            endpoint.modified = self.clock()
        return endpoint

    def _refused_notification(self, config: Document) -> str | None:
        output = config.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
        topics = output.get("NotificationConfig", {})
        for name in ("SuccessTopic", "ErrorTopic"):
            if name in topics:
                role_arn = self._role_arn(config)
                try:
                    self.publish(role_arn, topics[name], _TEST_NOTIFICATION)
                except ClientError as error:
                    code = error.response["Error"]["Code"]
                    return (
                        f"The provided role {role_arn} is invalid: it may not sns:Publish to"
                        f" {topics[name]} ({code})."
                    )
        return None

    def _role_arn(self, config: Document) -> str:
        """The config's own, or that of the first variant's model."""
        model = self._models.get(config["ProductionVariants"][0].get("ModelName"), {})
        role_arn: str = config.get("ExecutionRoleArn") or model.get("ExecutionRoleArn", "")
        return role_arn

    def _stored(self, place: dict[str, Document], kind: str, request: Document) -> str:
        name = request[f"{kind}Name"]
        if name in place:
            raise Refusal(f"Cannot create already existing {kind} {name}.")
        arn = self._arn(_ARN_KINDS[kind], name)
        stored = {key: value for key, value in request.items() if key != "Tags"}
        place[name] = {**stored, f"{kind}Arn": arn, "CreationTime": self.clock()}
        self._tag(arn, request.get("Tags", []))
        return arn

    def _found(self, place: dict[str, Document], kind: str, request: Document) -> Document:
        name = request[f"{kind}Name"]
        if name not in place:
            raise Refusal(f"Could not find {kind} {name}.")
        return place[name]

    def _tag(self, arn: str, tags: list[dict[str, str]]) -> None:
        self._tags.setdefault(arn, {}).update({each["Key"]: each["Value"] for each in tags})

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"
