"""The folder of a local system, and the environment variables that its clients need."""

import json
import os
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import boto3

from inference_results.contract import StackOutput

ROOT: Final = Path(__file__).resolve().parent.parent
ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
EXECUTION_ROLE: Final = "sagemaker-execution"
EXECUTION_ROLE_ARN: Final = f"arn:aws:iam::{ACCOUNT}:role/{EXECUTION_ROLE}"
"""The execution role of the simulated endpoint's model."""
READER_ROLE: Final = "inference-reader"
"""A downstream service, which can only query the API."""
SUBMITTER_ROLE: Final = "inference-submitter"
"""A service that can query the API, submit and register."""
ATTACHER_ROLE: Final = "endpoint-attacher"
"""Runs `inference-results attach`. The simulated SageMaker does not check permissions."""
OPERATOR_ROLE: Final = "dead-letter-operator"
"""Runs `inference-results dead-letters`."""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def host_environment() -> dict[str, str]:
    """Return this process's environment without AWS_ variables, so no real account is reached."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@contextmanager
def environment_restored() -> Iterator[None]:
    """Restore this process's environment afterwards, and reset boto3's session, which caches it."""
    before = dict(os.environ)
    boto3.DEFAULT_SESSION = None
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        boto3.DEFAULT_SESSION = None


@dataclass(frozen=True)
class LocalFolder:
    """The folder that holds the files of one local system."""

    path: Path

    @property
    def outputs_file(self) -> Path:
        return self.path / "outputs.json"

    @property
    def certificate(self) -> Path:
        return self.path / "tmp" / "ministack-tls" / "server.crt"

    @property
    def ca_bundle(self) -> Path:
        return self.path / "ca-bundle.pem"

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs by name, plus `OutputBucket` and `OutputPrefix`."""
        outputs: dict[str, str] = json.loads(self.outputs_file.read_text())
        return outputs

    def choose_ports(self) -> None:
        """Choose free ports and write them down; `ports` returns them from then on."""
        ports = {"aws": _free_port(), "simulated-endpoint": _free_port()}
        (self.path / "ports.json").write_text(json.dumps(ports))

    def ports(self) -> dict[str, int]:
        ports: dict[str, int] = json.loads((self.path / "ports.json").read_text())
        return ports

    def variables(self) -> dict[str, str]:
        """Return variables with which boto3, the CDK and other clients reach only this system.

        The API's URL is empty until the stack is deployed.
        """
        ports = self.ports()
        api_url = self.outputs()[StackOutput.API_URL] if self.outputs_file.exists() else ""
        return {
            "AWS_ENDPOINT_URL": f"https://127.0.0.1:{ports['aws']}",
            "AWS_ENDPOINT_URL_SAGEMAKER": f"http://127.0.0.1:{ports['simulated-endpoint']}",
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": f"http://127.0.0.1:{ports['simulated-endpoint']}",
            "INFERENCE_RESULTS_API_URL": api_url,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "SSL_CERT_FILE": str(self.ca_bundle),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self.path / "aws-config"),
            "NO_PROXY": "127.0.0.1",
            "CDK_HOME": str(self.path / "cdk-home"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        }

    def write_env(self) -> None:
        """Write `env` (exports of the variables) and `aws-config` (a profile for each role)."""
        profiles = [
            f"[profile {profile}]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/{profile}\n"
            f"credential_source = Environment\nregion = {REGION}\n"
            for profile in (
                EXECUTION_ROLE,
                READER_ROLE,
                SUBMITTER_ROLE,
                ATTACHER_ROLE,
                OPERATOR_ROLE,
            )
        ]
        (self.path / "aws-config").write_text("\n".join(profiles))
        lines = ["unset AWS_PROFILE AWS_SESSION_TOKEN"]
        lines += [f"export {name}={shlex.quote(each)}" for name, each in self.variables().items()]
        (self.path / "env").write_text("\n".join(lines) + "\n")

    def enter(self) -> None:
        """Make this process and its children clients of this system only."""
        environment = host_environment() | self.variables()
        os.environ.clear()
        os.environ.update(environment)
