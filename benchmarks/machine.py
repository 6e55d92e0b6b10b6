"""Describe the machine and the versions of a run."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from local.environment import ROOT

_LIBRARIES = ("boto3", "botocore", "urllib3", "aws-lambda-powertools", "pydantic")
_SEPARATE_ENVIRONMENTS = {
    "ministack": "local",
    "microburst": "tests/faults",
    "awslambdaric": "benchmarks/lambda",
}
"""Packages of other virtual environments, and the folders of their lock files."""


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")


def environment() -> str:
    """Return the system, the processors and the versions."""
    versions = {"Python": platform.python_version()}
    versions |= {name: version(name) for name in _LIBRARIES}
    versions |= {name: _locked_version(name, it) for name, it in _SEPARATE_ENVIRONMENTS.items()}
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} x {_processor()}"
    return ", ".join([machine, *(f"{name} {each}" for name, each in versions.items())])


def _locked_version(name: str, folder: str) -> str:
    lines = (ROOT / folder / "requirements.txt").read_text().splitlines()
    return next(it.split()[0].partition("==")[2] for it in lines if it.startswith(f"{name}=="))


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())
