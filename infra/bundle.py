"""The one asset that all functions share, bundled by uv: no Docker, hash-locked, stable hash."""

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
_LEFT_OUT = (
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
"""What installers leave behind that no function needs, or that differs from run to run."""


def bundled_code(*, runtime: str, architecture: str) -> lambda_.Code:
    """The code of every function, for a runtime (`python3.14`) and architecture (`arm64`).

    Share one such object: each makes an asset of its own.
    """
    return lambda_.Code.from_asset(
        str(FUNCTIONS),
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(
            # Asked only if the local bundling declined, which it never does.
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
    """Install the locked requirements and copy the package into `output`.

    Compiled when an interpreter of the runtime's version is at hand: Lambda cannot keep what it
    compiles, so without this every cold start compiles anew.
    """
    version = runtime.removeprefix("python")
    # fmt: off
    subprocess.run(
        [
            find_uv_bin(), "pip", "install", "--quiet", "--no-config",
            "--require-hashes", "--requirement", FUNCTIONS / "requirements.txt",
            "--target", output, "--link-mode", "copy", "--only-binary", ":all:",
            "--python-version", version, "--python-platform", _PLATFORMS[architecture],
        ],
        check=True,
    )
    # fmt: on
    for name, source in function_sources().items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, output / name)
    for pattern in _LEFT_OUT:
        for path in output.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    python = _interpreter(version)
    if python is None:
        sys.stderr.write(f"There is no {runtime} here: modules are bundled uncompiled, and each ")
        sys.stderr.write(f"cold start compiles them. `uv python install {version}` brings one; ")
        sys.stderr.write("the asset is another one then.\n")
    else:
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


def _interpreter(version: str) -> str | None:
    """One that starts: on the PATH there may be names for which a version manager has nothing.

    None is fetched here, or the asset would depend on whether that worked.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = subprocess.run(
        [find_uv_bin(), "python", "find", "--no-config", "--no-project", "--system", version],
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() if found.returncode == 0 else None
