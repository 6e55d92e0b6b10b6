"""The templates as they were last reviewed, so that a change of the infrastructure is seen.

`make check` compares with them, `make template` (`python -m tests.reviewed`) writes them anew.
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
from tests.synthesis import ROOT, assembly_of

REVIEWED = {"default": "InferenceResults", "endpoint": "AsyncEndpoint"}
"""The stack that is reviewed of a variant."""

_ASSET = re.compile(r"[0-9a-f]{64}(?=\.zip)")
_ANY_ASSET = "hash-of-the-code"
"""In the place of a hash that changes with every change of the code."""


def reviewed_file(stack_name: str) -> Path:
    return ROOT / "infra" / "templates" / f"{stack_name}.yaml"


def write(template: Path, reviewed: Path) -> None:
    reviewed.parent.mkdir(exist_ok=True)
    reviewed.write_text(yaml.safe_dump(_without_hash(template), sort_keys=False, width=100))


def changes(assembly: cx_api.CloudAssembly, stack_name: str, reviewed: Path) -> str:
    """What `cdk diff` tells of a stack; empty if only its code differs from the reviewed one."""
    template = Path(assembly.get_stack_by_name(stack_name).template_full_path)
    before = yaml.safe_load(reviewed.read_text())
    if before == _without_hash(template):
        return ""
    asset = _ASSET.search(template.read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".json") as old:
        # The code as it is now, or every function would be told to change.
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
