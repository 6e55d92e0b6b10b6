"""Starts and stops the whole local system."""

import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict

from inference_results.contract import StackOutput
from local.deployment import (
    FAILURE_PREFIX,
    OUTPUT_BUCKET,
    OUTPUT_PREFIX,
    create_account_resources,
    create_endpoints,
    deploy,
)
from local.embedded_aws import start_embedded_aws
from local.environment import EXECUTION_ROLE, ROOT, LocalFolder
from local.processes import Processes
from local.simulated_endpoint import AsyncInferenceConfig

_ENDPOINT = "simulated-endpoint"


def up(folder: LocalFolder, progress: Callable[[str], None]) -> None:
    """Start the local system, deploy the stack, and make this process a client of it.

    If it runs already, this deploys the current code and keeps the records. `progress` receives
    one line for each step. Raises StartError or DeployError.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    processes = Processes(folder.path)
    progress("Starting the embedded AWS")
    start_embedded_aws(folder, processes)
    folder.write_env()
    folder.enter()
    progress("Deploying the stack with cdk deploy")
    create_account_resources()
    deploy(folder)
    folder.write_env()
    folder.enter()
    progress("Starting the simulated SageMaker")
    _start_endpoint(folder, processes)


def down(folder: LocalFolder) -> list[str]:
    """Stop the processes that `up` started in this folder, and return their names."""
    return Processes(folder.path).stop_all()


def is_up(folder: LocalFolder) -> bool:
    return Processes(folder.path).running(_ENDPOINT)


def _start_endpoint(folder: LocalFolder, processes: Processes) -> None:
    if processes.running(_ENDPOINT):
        return
    outputs = folder.outputs()
    config = AsyncInferenceConfig(
        profile=EXECUTION_ROLE,
        success_topic=outputs[StackOutput.SUCCESS_TOPIC_ARN],
        error_topic=outputs[StackOutput.ERROR_TOPIC_ARN],
        s3_output_path=f"s3://{OUTPUT_BUCKET}/{OUTPUT_PREFIX}",
        s3_failure_path=f"s3://{OUTPUT_BUCKET}/{FAILURE_PREFIX}",
    )
    config_file = folder.path / "async-inference-config.json"
    config_file.write_text(json.dumps(asdict(config), indent=2))
    port = folder.ports()[_ENDPOINT]
    processes.start(
        _ENDPOINT,
        [
            sys.executable,
            "-m",
            "local.simulated_endpoint",
            f"--port={port}",
            f"--config={config_file}",
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        is_up=lambda: _listening(port),
    )
    create_endpoints(outputs)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
