"""Where and with what a run was made."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from local.environment import ROOT

_LIBRARIES = ("boto3", "botocore", "urllib3", "aws-lambda-powertools", "pydantic")
_ELSEWHERE = {
    "ministack": "local",
    "microburst": "tests/faults",
    "awslambdaric": "benchmarks/lambda",
}
"""What runs in environments of its own, and where its requirements are locked."""


def about() -> dict[str, Any]:
    """Date (UTC), machine and versions."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "processor": _processor(),
        },
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES}
        | {name: _locked(name, folder) for name, folder in _ELSEWHERE.items()},
    }


def _locked(name: str, folder: str) -> str:
    lines = (ROOT / folder / "requirements.txt").read_text().splitlines()
    return next(it.split()[0].partition("==")[2] for it in lines if it.startswith(f"{name}=="))


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
