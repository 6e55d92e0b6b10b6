"""Templates of documented variants, synthesized in this process with the context of cdk.json."""

import hashlib
import json
import os
import runpy
import sys
from contextlib import chdir
from fcntl import LOCK_EX, flock
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    import aws_cdk as cdk
    from aws_cdk import cx_api

ROOT = Path(__file__).resolve().parents[2]

PREFIXES = "s3://customer-outputs/async/,s3://customer-outputs/failures/"
EXECUTION_ROLE = "arn:aws:iam::123456789012:role/model-execution"
ENDPOINT = {
    "model_name": "speech",
    "execution_role_arn": EXECUTION_ROLE,
    "instance_type": "ml.g5.xlarge",
    "output_path": "s3://customer-outputs/async/speech",
    "failure_path": "s3://customer-outputs/failures/speech",
    "include_inference_response_in": ["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"],
    "max_concurrent_invocations_per_instance": 4,
}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:"
STATE_MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:nightly"

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "existing topics": {
        "success_topic_arn": f"{TOPIC}done",
        "error_topic_arn": f"{TOPIC}broken",
        "execution_role_arns": EXECUTION_ROLE,
    },
    "one existing topic": {"success_topic_arn": f"{TOPIC}all", "error_topic_arn": f"{TOPIC}all"},
    "customer keys": {
        "customer_keys": "true",
        "execution_role_arns": EXECUTION_ROLE,
        "output_key_arns": "arn:aws:kms:eu-west-1:123456789012:key/0f3a-11",
    },
    "endpoint config": {"endpoint": ENDPOINT},
    "endpoint": {"endpoint": json.dumps(ENDPOINT | {"create_endpoint": True})},
    "no api": {"api": "false"},
    "watched endpoints": {
        "watched_endpoints": "speech,ocr/blue,ocr/green",
        "alarm_emails": "oncall@example.com,team@example.com",
        "failure_percent": "35",
        "oldest_message_seconds": "1200",
        "oldest_request_seconds": "7200",
        "reconcile_minutes": "1440",
    },
    "no alarms": {"alarms": "false", "dashboard": "false"},
    "no events": {"publish_events": "false"},
    "existing bus": {
        "event_bus_arn": "arn:aws:events:eu-west-1:123456789012:event-bus/shared",
        "publish_custom_attributes": "true",
    },
    "submission": {
        "submit_endpoints": "speech,OCR-2",
        "input_prefix": "s3://customer-inputs/async",
        "input_key_arns": "arn:aws:kms:eu-west-1:123456789012:key/0f3a-12",
        "reconcile_minutes": "1",
        "overdue_slack_seconds": "60",
    },
    "observed": {
        "watched_endpoints": "speech,vision/blue",
        "debug_sample_rate": "0.01",
        "tracing": "true",
    },
    "state machines": {
        "state_machine_arns": f"{STATE_MACHINE},"
        "arn:aws:states:eu-west-1:123456789012:stateMachine:on-demand",
    },
    "tokens": {"jwt_issuer": "https://login.example.com/tenant", "jwt_audience": "one,two"},
    "email, boundary, older runtime": {
        "success_emails": "team@example.com",
        "error_emails": "team@example.com,oncall@example.com",
        "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/boundary",
        "runtime": "python3.12",
        "api_concurrency": "50",
        "architecture": "x86_64",
        "retain": "false",
    },
}
"""The settings of each documented variant, as `-c` passes them."""


TEMPLATES_VARIABLE = "SYNTHESIZED_TEMPLATES"
"""Names the folder in which all workers of a test run share templates."""


def new_app(variant: str, **more: str) -> "cdk.App":
    """Create an app with a variant's settings. It bundles nothing, so it needs no network."""
    # Not at import: workers that find their templates in the shared folder never load the CDK.
    import aws_cdk as cdk

    return cdk.App(context=app_context(output_prefixes=PREFIXES, **VARIANTS[variant] | more))


def app_context(**settings: Any) -> dict[str, Any]:
    """Return the context of cdk.json with settings, and without bundling."""
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return context | {"aws:cdk:bundling-stacks": []} | settings


def synthesised(variant: str, **more: str) -> dict[str, dict[str, Any]]:
    """Return a variant's templates by stack name, with `more` settings."""
    templates: dict[str, dict[str, Any]] = json.loads(_templates(variant, **more))
    return templates


@cache
def _templates(variant: str, **more: str) -> str:
    """The templates as JSON, synthesized once per test run."""
    folder = os.environ.get(TEMPLATES_VARIABLE)
    if folder is None:
        return _synthesize(variant, **more)
    key = hashlib.sha256(json.dumps([variant, more], sort_keys=True).encode()).hexdigest()
    with Path(folder, f"{key}.json").open("a+") as file:
        # Another worker that needs the same templates waits for the first.
        flock(file, LOCK_EX)
        file.seek(0)
        if text := file.read():
            return text
        text = _synthesize(variant, **more)
        file.write(text)
        return text


def _synthesize(variant: str, **more: str) -> str:
    stacks = assembly_of(variant, **more).stacks
    return json.dumps({stack.stack_name: stack.template for stack in stacks})


def assembly_of(variant: str, **more: str) -> "cx_api.CloudAssembly":
    """Synthesize a variant into a temporary cloud assembly."""
    from infra.app import add_stacks

    app = new_app(variant, **more)
    add_stacks(app)
    return app.synth()


def run_app(script: Path, folder: Path, context: dict[str, Any], **variables: str) -> Path:
    """Run a CDK app's script in this process, which has the CDK running; return its assembly.

    Raises SystemExit if the script does.
    """
    import aws_cdk as cdk

    output = folder / "out"
    # The CDK's own process does not see a changed environment, so pass what `cdk` would set.
    app = partial(cdk.App, outdir=str(output), context=context)
    path = sys.path.copy()
    try:
        with patch.dict(os.environ, variables), patch("aws_cdk.App", app), chdir(folder):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.path[:] = path
    return output
