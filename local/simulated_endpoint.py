"""Simulates asynchronous endpoints: a server for InvokeEndpointAsync.

The model returns its input. Words in CustomAttributes, separated by spaces, change the outcome:

- `simulate-failure=400` (or `500`, or `0` for a timeout): the model fails with this status
- `simulate-expiry`: the request expires in the queue, without any object
- `simulate-delay=2.5`: the result comes after this many seconds
- `simulate-duplicate`: the notification is published twice
- `simulate-inline`: the notification contains the response, up to 128 KB
- `simulate-silence`: the object is written, but no notification is published

GET returns how often each inference id was invoked: `{"<id>": <count>, ...}`.

The server uses an execution role that can only read inputs, write outputs and publish.

It also serves the control plane (simulated_sagemaker.py). An endpoint that was created there uses
its own endpoint config and role; any other endpoint uses the `--config` file.
"""

import argparse
import base64
import json
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import boto3
from botocore.exceptions import ClientError

from local.environment import ACCOUNT, EXECUTION_ROLE, EXECUTION_ROLE_ARN, REGION
from local.simulated_sagemaker import ControlPlane, Deployed, ValidationException

_HEADER: Final = "X-Amzn-SageMaker-"
_MAX_INLINE_RESPONSE: Final = 128 * 1024
_MAX_BODY: Final = 128_000


@dataclass(frozen=True, kw_only=True)
class AsyncInferenceConfig:
    """An endpoint's configuration. Paths end in `/`; without a topic, nothing is published.

    The execution role is given by its AWS profile, or by its ARN for an endpoint that was created
    on the control plane.
    """

    profile: str | None = None
    role_arn: str | None = None
    success_topic: str | None
    error_topic: str | None
    s3_output_path: str
    s3_failure_path: str | None
    include_inference_response_in: tuple[str, ...] = ()

    @classmethod
    def from_deployed(cls, deployed: Deployed) -> "AsyncInferenceConfig":
        """Read the configuration of an endpoint that was created on the control plane."""
        output = deployed.async_inference_config["OutputConfig"]
        topics = output.get("NotificationConfig", {})
        failure_path = output.get("S3FailurePath")
        # boto3 renews the credentials of a profile.
        has_profile = deployed.role_arn == EXECUTION_ROLE_ARN
        return cls(
            profile=EXECUTION_ROLE if has_profile else None,
            role_arn=None if has_profile else deployed.role_arn,
            success_topic=topics.get("SuccessTopic"),
            error_topic=topics.get("ErrorTopic"),
            s3_output_path=output["S3OutputPath"].rstrip("/") + "/",
            s3_failure_path=failure_path and failure_path.rstrip("/") + "/",
            include_inference_response_in=tuple(topics.get("IncludeInferenceResponseIn", ())),
        )


class ValidationError(Exception):
    """Returned to the caller as SageMaker's error of this name."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """An accepted request."""

    endpoint_name: str
    inference_id: str
    received: datetime
    output_location: str
    failure_location: str | None
    input_location: str | None
    body: bytes
    content_type: str | None
    accept: str | None
    custom_attributes: str | None

    @property
    def simulation(self) -> dict[str, str]:
        """The `simulate-` words of the custom attributes, by name, with the value after `=`."""
        words = (self.custom_attributes or "").split()
        options = [word.removeprefix("simulate-") for word in words if word.startswith("simulate-")]
        return {name: value for name, _, value in (option.partition("=") for option in options)}


def endpoint_name_in(path: str) -> str:
    """Return the endpoint's name in the path of InvokeEndpointAsync. Raises ValidationError."""
    match path.split("/"):
        case ["", "endpoints", endpoint_name, "async-invocations"]:
            return unquote(endpoint_name)
    raise ValidationError(f"{path}: only InvokeEndpointAsync is simulated")


def accept_invocation(
    path: str, headers: Mapping[str, str], body: bytes, config: AsyncInferenceConfig
) -> Invocation:
    """Parse a request of InvokeEndpointAsync. Raises ValidationError."""
    input_location = headers.get(_HEADER + "InputLocation")
    if (input_location is None) == (not body):
        raise ValidationError("expected exactly one of InputLocation and Body")
    if len(body) > _MAX_BODY:
        raise ValidationError(f"Body: expected at most {_MAX_BODY} bytes, got {len(body)}")
    extension = headers.get(_HEADER + "S3OutputPathExtension", "").strip("/")
    folder = config.s3_output_path + (f"{extension}/" if extension else "")
    return Invocation(
        endpoint_name=endpoint_name_in(path),
        inference_id=headers.get(_HEADER + "Inference-Id") or str(uuid.uuid4()),
        received=datetime.now(UTC),
        output_location=folder + (headers.get(_HEADER + "Filename") or f"{uuid.uuid4()}.out"),
        failure_location=(
            f"{config.s3_failure_path}{uuid.uuid4()}-error.out" if config.s3_failure_path else None
        ),
        input_location=input_location,
        body=body,
        content_type=headers.get(_HEADER + "Content-Type"),
        accept=headers.get(_HEADER + "Accept"),
        custom_attributes=headers.get(_HEADER + "Custom-Attributes"),
    )


def role_session(config: AsyncInferenceConfig) -> boto3.Session:
    """Return a session of the execution role."""
    if config.role_arn:
        return assume_role(config.role_arn)
    return boto3.Session(profile_name=config.profile)


def assume_role(role_arn: str) -> boto3.Session:
    """Assume a role. Raises botocore's ClientError if it does not exist or trust the account."""
    credentials = (
        boto3.Session()
        .client("sts")
        .assume_role(RoleArn=role_arn, RoleSessionName="simulated-sagemaker")["Credentials"]
    )
    return boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def publish(role_arn: str, topic_arn: str, message: str) -> None:
    assume_role(role_arn).client("sns").publish(TopicArn=topic_arn, Message=message)


class SimulatedModel:
    """Processes invocations: reads the input, writes an object, publishes the notification."""

    def __init__(self, config: AsyncInferenceConfig) -> None:
        session = role_session(config)
        self._s3 = session.client("s3")
        self._sns = session.client("sns")
        self._config = config

    def process(self, invocation: Invocation) -> None:
        simulation = invocation.simulation
        if "expiry" in simulation:
            self._publish_failure(invocation, "Expired", "Request expired in the queue.", None)
            return
        try:
            response = self._input(invocation)
        except ClientError:
            reason = "ClientError: Unable to read the input."
            self._publish_failure(invocation, "Failed", reason, None)
            return
        if "failure" in simulation:
            self._fail(invocation, int(simulation["failure"]))
            return
        content_type = invocation.accept or invocation.content_type or "application/octet-stream"
        self._put(invocation.output_location, response, content_type)
        self._publish(
            self._config.success_topic,
            invocation,
            {
                "invocationStatus": "Completed",
                "responseParameters": {
                    "contentType": content_type,
                    "outputLocation": invocation.output_location,
                },
                **self._inline(invocation, response, "SUCCESS_NOTIFICATION_TOPIC"),
            },
        )

    def _input(self, invocation: Invocation) -> bytes:
        if invocation.input_location is None:
            return invocation.body
        bucket, _, key = invocation.input_location.removeprefix("s3://").partition("/")
        content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def _put(self, location: str, body: bytes, content_type: str) -> None:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)

    def _fail(self, invocation: Invocation, model_status: int) -> None:
        party = "client" if 400 <= model_status <= 499 else "server"
        reason = (
            f"ClientError: Received {party} error ({model_status}) from model. "
            "See the SageMaker Endpoint logs in your account for more information."
        )
        error = json.dumps({"error": f"the model returned {model_status}"}).encode()
        if model_status and invocation.failure_location:
            self._put(invocation.failure_location, error, "application/json")
        self._publish_failure(invocation, "Failed", reason, error if model_status else None)

    def _publish_failure(
        self, invocation: Invocation, status: str, reason: str, error: bytes | None
    ) -> None:
        location = {"failureLocation": invocation.failure_location}
        event: dict[str, Any] = {"invocationStatus": status, "failureReason": reason}
        if error:
            event |= self._inline(invocation, error, "ERROR_NOTIFICATION_TOPIC")
        if error and invocation.failure_location:
            event["responseParameters"] = location
        self._publish(self._config.error_topic, invocation, event)

    def _inline(self, invocation: Invocation, response: bytes, topic: str) -> dict[str, Any]:
        included = topic in self._config.include_inference_response_in
        included = included or "inline" in invocation.simulation
        if not included or len(response) > _MAX_INLINE_RESPONSE:
            return {}
        content = base64.b64encode(response).decode()
        return {"responseBody": {"content": content, "encoding": "BASE64"}}

    def _publish(self, topic: str | None, invocation: Invocation, event: dict[str, Any]) -> None:
        if topic is None:
            return
        request = {
            "accept": invocation.accept,
            "contentType": invocation.content_type,
            "customAttributes": invocation.custom_attributes,
            "endpointName": invocation.endpoint_name,
            "inputLocation": invocation.input_location,
        }
        message = json.dumps(
            {
                "awsRegion": self._sns.meta.region_name,
                "eventTime": _milliseconds(datetime.now(UTC)),
                "receivedTime": _milliseconds(invocation.received),
                "requestParameters": {name: each for name, each in request.items() if each},
                "inferenceId": invocation.inference_id,
                "eventVersion": "1.0",
                "eventSource": "aws:sagemaker",
                "eventName": "InferenceResult",
                **event,
            }
        )
        simulation = invocation.simulation
        count = 0 if "silence" in simulation else 2 if "duplicate" in simulation else 1
        for _ in range(count):
            self._sns.publish(TopicArn=topic, Message=message)


def _milliseconds(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Handler(BaseHTTPRequestHandler):
    config: AsyncInferenceConfig
    model: SimulatedModel
    control_plane: ControlPlane
    invocations = Counter[str]()

    def do_GET(self) -> None:  # noqa: N802
        """Return how often each inference id was invoked."""
        body = json.dumps(self.invocations).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server looks for
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if target := self.headers.get("X-Amz-Target"):
            self._respond(*self.control_plane.handle(target, body), {})
            return
        try:
            config, model = self._endpoint()
            invocation = accept_invocation(self.path, dict(self.headers), body, config)
            delay = float(invocation.simulation.get("delay", 0))
        except (ValidationError, ValidationException, ClientError, ValueError) as error:
            self._respond(400, {"Message": str(error)}, {"x-amzn-errortype": "ValidationError"})
            return
        self.invocations[invocation.inference_id] += 1
        threading.Timer(delay, model.process, [invocation]).start()
        locations = {_HEADER + "OutputLocation": invocation.output_location}
        if invocation.failure_location:
            locations[_HEADER + "FailureLocation"] = invocation.failure_location
        self._respond(202, {"InferenceId": invocation.inference_id}, locations)

    def _endpoint(self) -> tuple[AsyncInferenceConfig, SimulatedModel]:
        deployed = self.control_plane.deployed(endpoint_name_in(self.path))
        if deployed is None:
            return self.config, self.model
        config = AsyncInferenceConfig.from_deployed(deployed)
        return config, self.model if config == self.config else SimulatedModel(config)

    def _respond(self, status: int, content: dict[str, Any], headers: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the notifications contain the same information."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # tests send many requests at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--config", type=Path, required=True, help="an AsyncInferenceConfig, JSON")
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text())
    topics = tuple(config.pop("include_inference_response_in"))
    _Handler.config = AsyncInferenceConfig(**config, include_inference_response_in=topics)
    _Handler.model = SimulatedModel(_Handler.config)
    _Handler.control_plane = ControlPlane(account=ACCOUNT, region=REGION, publish=publish)
    _Server(("127.0.0.1", arguments.port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
