"""The asset that all functions share: bundled by uv, without Docker, with a reproducible hash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_
from uv import find_uv_bin

from .sources import FUNCTIONS, function_sources

_PLATFORMS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
_EXCLUDED = (
    "bin",
    ".lock",
    "**/__pycache__",
    "*/RECORD",
    "*/INSTALLER",
    "*/REQUESTED",
    "*/direct_url.json",
    "*/uv_cache.json",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*",
)
"""Files of the installer that no function needs, or that differ between runs."""


def bundled_code(*, runtime: str, architecture: str) -> lambda_.Code:
    """Return the code of all functions for a runtime (`python3.14`) and architecture (`arm64`).

    Call it once for each stack and share the result: each object becomes a separate asset.
    """
    return lambda_.Code.from_asset(
        str(FUNCTIONS),
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(
            # Required, but never used: the local bundling always succeeds.
            image=cdk.DockerImage.from_registry("scratch"),
            local=_UvBundling(runtime, architecture),
        ),
    )


@jsii.implements(cdk.ILocalBundling)
class _UvBundling:
    def __init__(self, runtime: str, architecture: str) -> None:
        self._runtime = runtime
        self._architecture = architecture

    def try_bundle(self, output_dir: str, *_args: Any, **_options: Any) -> bool:
        bundle(Path(output_dir), runtime=self._runtime, architecture=self._architecture)
        return True


def bundle(output: Path, *, runtime: str, architecture: str) -> None:
    """Install the locked requirements and copy the functions' sources into `output`.

    Compile the modules if an interpreter of the runtime's version is installed. Lambda cannot
    keep compiled modules, so otherwise every cold start compiles them again.
    """
    version = runtime.removeprefix("python")
    _install_requirements(output, version, _PLATFORMS[architecture])
    for name, source in function_sources().items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, output / name)
    for pattern in _EXCLUDED:
        for path in output.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if python := _find_interpreter(version):
        _compile(output, python)
    else:
        sys.stderr.write(f"No {runtime} interpreter found: the modules are bundled uncompiled, ")
        sys.stderr.write("and each cold start compiles them. To compile them now, run ")
        sys.stderr.write(f"`uv python install {version}`; this changes the asset's hash.\n")


def _install_requirements(output: Path, version: str, platform: str) -> None:
    # fmt: off
    subprocess.run(
        [
            find_uv_bin(), "pip", "install", "--quiet", "--no-config",
            "--require-hashes", "--requirement", FUNCTIONS / "requirements.txt",
            "--target", output, "--link-mode", "copy", "--only-binary", ":all:",
            "--python-version", version, "--python-platform", platform,
        ],
        check=True,
    )
    # fmt: on


def _compile(output: Path, python: str) -> None:
    # fmt: off
    subprocess.run(
        [
            python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
            "-s", output, "-p", "/var/task", output,
        ],
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    # fmt: on


def _find_interpreter(version: str) -> str | None:
    """Find an interpreter that starts: a version manager's shim on the PATH can have no version.

    Never download one, because the asset would then depend on whether the download worked.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = subprocess.run(
        [find_uv_bin(), "python", "find", "--no-config", "--no-project", "--system", version],
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() if found.returncode == 0 else None
