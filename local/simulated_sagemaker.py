"""Simulates SageMaker's control plane: models, endpoint configs, endpoints and tags, in memory.

It implements the JSON protocol of the operations below, validates parameters against botocore's
model, and keeps every member of models and endpoint configs. An endpoint is Creating or Updating
for a second. If its config names topics, the control plane publishes a test notification with the
execution role; if that fails, a new endpoint is Failed, and an updated one keeps its config.
Instances and weights are not simulated.
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


class ValidationException(Exception):
    """Returned to the caller as SageMaker's error of this name."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """An endpoint in service: its execution role, and AsyncInferenceConfig of its config."""

    role_arn: str
    async_inference_config: Document


@dataclass(kw_only=True)
class _Endpoint:
    """`pending` is the name of the config that replaces `config_name` at `settled_at`."""

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
    """`publish(role_arn, topic_arn, message)` raises botocore's ClientError if it is denied."""

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

    def handle(self, target: str, body: bytes) -> tuple[int, Document]:
        """Return the HTTP status and document for a request's X-Amz-Target and body."""
        operation = target.removeprefix(_TARGET_PREFIX)
        try:
            if operation not in self._operations:
                raise ValidationException(f"{operation} is not simulated")
            parameters = self._validate(operation, body)
            with self._lock:
                return 200, self._operations[operation](parameters)
        except ValidationException as error:
            return 400, {"__type": "ValidationException", "message": str(error)}

    def deployed(self, endpoint_name: str) -> Deployed | None:
        """Return None if the endpoint does not exist.

        Raises ValidationException if it cannot be invoked.
        """
        with self._lock:
            if endpoint_name not in self._endpoints:
                return None
            endpoint = self._settle(endpoint_name)
            if endpoint.status not in ("InService", "Updating"):
                raise ValidationException(f"Endpoint {endpoint_name} is {endpoint.status}.")
            config = self._configs[endpoint.config_name]
            if "AsyncInferenceConfig" not in config:
                raise ValidationException(f"Endpoint {endpoint_name} is not asynchronous.")
            return Deployed(
                role_arn=self._role_arn(config),
                async_inference_config=config["AsyncInferenceConfig"],
            )

    def _validate(self, operation: str, body: bytes) -> Document:
        parameters: Document = json.loads(body or b"{}")
        shape = _service().operation_model(operation).input_shape
        assert shape is not None
        report = ParamValidator().validate(parameters, shape)
        if report.has_errors():
            raise ValidationException(" ".join(report.generate_report().split()))
        return parameters

    def _create_model(self, request: Document) -> Document:
        arn = self._store(self._models, "Model", request)
        return {"ModelArn": arn}

    def _describe_model(self, request: Document) -> Document:
        return self._find(self._models, "Model", request)

    def _create_endpoint_config(self, request: Document) -> Document:
        variants = (*request["ProductionVariants"], *request.get("ShadowProductionVariants", ()))
        for variant in variants:
            if "ModelName" in variant:
                self._find(self._models, "Model", variant)
        arn = self._store(self._configs, "EndpointConfig", request)
        return {"EndpointConfigArn": arn}

    def _describe_endpoint_config(self, request: Document) -> Document:
        return self._find(self._configs, "EndpointConfig", request)

    def _delete_endpoint_config(self, request: Document) -> Document:
        config = self._find(self._configs, "EndpointConfig", request)
        del self._configs[request["EndpointConfigName"]]
        self._tags.pop(config["EndpointConfigArn"], None)
        return {}

    def _create_endpoint(self, request: Document) -> Document:
        name, config_name = request["EndpointName"], request["EndpointConfigName"]
        if name in self._endpoints:
            raise ValidationException(f"Cannot create already existing endpoint {name}.")
        self._find(self._configs, "EndpointConfig", request)
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
        endpoint = self._settle(name)
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
        """Return all endpoints on one page, newest first, without filters."""
        described = [self._describe_endpoint({"EndpointName": each}) for each in self._endpoints]
        members = (
            *("EndpointName", "EndpointArn", "EndpointStatus"),
            *("CreationTime", "LastModifiedTime"),
        )
        listed = [{name: each[name] for name in members} for each in described]
        return {"Endpoints": sorted(listed, key=lambda each: -each["CreationTime"])}

    def _delete_endpoint(self, request: Document) -> Document:
        self._settle(request["EndpointName"])
        endpoint = self._endpoints.pop(request["EndpointName"])
        self._tags.pop(endpoint.arn, None)
        return {}

    def _update_endpoint(self, request: Document) -> Document:
        endpoint = self._settle(request["EndpointName"])
        if endpoint.status != "InService":
            raise ValidationException(f"Cannot update an endpoint that is {endpoint.status}.")
        self._find(self._configs, "EndpointConfig", request)
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
        endpoint.failure_reason = self._notification_failure(self._configs[config_name])

    def _settle(self, name: str) -> _Endpoint:
        if name not in self._endpoints:
            raise ValidationException(f'Could not find endpoint "{self._arn("endpoint", name)}".')
        endpoint = self._endpoints[name]
        if endpoint.pending and self.clock() >= endpoint.settled_at:
            if endpoint.failure_reason is None:
                endpoint.config_name = endpoint.pending
            is_created = endpoint.status == "Updating" or endpoint.failure_reason is None
            endpoint.status = "InService" if is_created else "Failed"
            endpoint.pending = ""
            endpoint.modified = self.clock()
        return endpoint

    def _notification_failure(self, config: Document) -> str | None:
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
                        f"The provided role {role_arn} is invalid: it cannot sns:Publish to"
                        f" {topics[name]} ({code})."
                    )
        return None

    def _role_arn(self, config: Document) -> str:
        """Return the config's execution role, or that of its first variant's model."""
        model = self._models.get(config["ProductionVariants"][0].get("ModelName"), {})
        role_arn: str = config.get("ExecutionRoleArn") or model.get("ExecutionRoleArn", "")
        return role_arn

    def _store(self, items: dict[str, Document], kind: str, request: Document) -> str:
        name = request[f"{kind}Name"]
        if name in items:
            raise ValidationException(f"Cannot create already existing {kind} {name}.")
        arn = self._arn(_ARN_KINDS[kind], name)
        stored = {key: value for key, value in request.items() if key != "Tags"}
        items[name] = {**stored, f"{kind}Arn": arn, "CreationTime": self.clock()}
        self._tag(arn, request.get("Tags", []))
        return arn

    def _find(self, items: dict[str, Document], kind: str, request: Document) -> Document:
        name = request[f"{kind}Name"]
        if name not in items:
            raise ValidationException(f"Could not find {kind} {name}.")
        return items[name]

    def _tag(self, arn: str, tags: list[dict[str, str]]) -> None:
        self._tags.setdefault(arn, {}).update({each["Key"]: each["Value"] for each in tags})

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"
