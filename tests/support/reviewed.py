"""The last reviewed templates, which make a change of the infrastructure visible.

`make check` compares the current templates with them. `make template` updates them, by
`python -m tests.support.reviewed`.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml
from aws_cdk import cx_api

from local.environment import host_environment
from tests.support.synthesis import ROOT, assembly_of

REVIEWED = {"default": "InferenceResults", "endpoint": "AsyncEndpoint"}
"""The reviewed stack of each variant."""

_ASSET = re.compile(r"[0-9a-f]{64}(?=\.zip)")
_ANY_ASSET = "hash-of-the-code"
"""Replaces the asset hash, which changes with every change of the code."""


def reviewed_file(stack_name: str) -> Path:
    return ROOT / "infra" / "templates" / f"{stack_name}.yaml"


def write(template: Path, reviewed: Path) -> None:
    reviewed.parent.mkdir(exist_ok=True)
    reviewed.write_text(yaml.safe_dump(_without_hash(template), sort_keys=False, width=100))


def changes(assembly: cx_api.CloudAssembly, stack_name: str, reviewed: Path) -> str:
    """Return the output of `cdk diff`, or an empty string if at most the code has changed."""
    template = Path(assembly.get_stack_by_name(stack_name).template_full_path)
    before = yaml.safe_load(reviewed.read_text())
    if before == _without_hash(template):
        return ""
    asset = _ASSET.search(template.read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".json") as old:
        # Use the current hash, or the diff would show every function.
        old.write(json.dumps(before).replace(_ANY_ASSET, asset[0] if asset else _ANY_ASSET))
        old.flush()
        return _cdk_diff(assembly.directory, stack_name, old.name)


def _without_hash(template: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_ASSET.sub(_ANY_ASSET, template.read_text()))
    return found


def _cdk_diff(assembly: str, stack_name: str, old: str) -> str:
    cdk = ROOT / "node_modules" / ".bin" / "cdk"
    return subprocess.run(
        [cdk, "diff", "--app", assembly, "--template", old, stack_name],
        cwd=ROOT,
        env=host_environment() | {"CDK_DISABLE_CLI_TELEMETRY": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


if __name__ == "__main__":
    for variant, stack_name in REVIEWED.items():
        stack = assembly_of(variant).get_stack_by_name(stack_name)
        write(Path(stack.template_full_path), reviewed_file(stack_name))
