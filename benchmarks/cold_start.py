"""Cold starts of the deployed bundle, with AWS's runtime client under its emulator.

Each start is a new process, measured until the function can be invoked. A start imports modules
and creates clients, but makes no AWS calls.
"""

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.lambda_emulator import ARCHITECTURE, Function, init_ms
from benchmarks.measurements import Part, Target, table
from benchmarks.reviewed_template import variables_of
from inference_results.contract import Service
from infra.bundle import bundle
from local.environment import ACCOUNT, REGION, ROOT

ROUNDS: Final = 9
BASE: Final = "boto3 and two clients"
TARGET: Final = 0.85
"""Limit of record_result's cold start, relative to the base."""


def measure() -> Part:
    with tempfile.TemporaryDirectory() as folder:
        bundled = Path(folder) / "bundle"
        runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
        bundle(bundled, runtime=runtime, architecture=ARCHITECTURE)
        uncompiled = Path(folder) / "uncompiled"
        shutil.copytree(bundled, uncompiled, ignore=shutil.ignore_patterns("__pycache__"))

        contestants = {
            "empty handler": _baseline("empty"),
            BASE: _baseline("two_clients"),
            **{name.value: _service(name, bundled) for name in Service},
            "record_result, not compiled": _service(Service.RECORD_RESULT, uncompiled),
        }
        _round(contestants)  # discarded: it loads the files into the page cache
        rounds = [_round(contestants) for _ in range(ROUNDS)]
        facts = {"bundle": _size(bundled, Path(folder))}
    starts = {name: [each[name] for each in rounds] for name in contestants}
    cold_start = table("cold_start", "cold start", "ms", starts, BASE)
    ratios = {row.name: row.ratio.of_medians for row in cold_start.rows if row.ratio}
    title = f"cold start of record_result, relative to {BASE}"
    target = Target(title, "x", TARGET, ratios[Service.RECORD_RESULT])
    return Part((cold_start,), (target,), facts)


def _round(contestants: Mapping[str, Function]) -> dict[str, float]:
    return {name: init_ms(each) for name, each in contestants.items()}


def _baseline(module: str) -> Function:
    return Function(f"{module}.handler", ROOT / "benchmarks" / "lambda", {})


def _service(service: Service, folder: Path) -> Function:
    variables = {name: _resolve(value) for name, value in variables_of(service).items()}
    return Function(f"functions.{service}.handler", folder, variables)


def _resolve(value: Any) -> str:
    """Replace a reference by a made-up value: nothing is called with it."""
    match value:
        case {"Ref": name}:
            return str(name)
        case {"Fn::GetAtt": [name, "Arn"]}:
            return f"arn:aws:service:{REGION}:{ACCOUNT}:{name}"
    return str(value)


def _size(bundled: Path, folder: Path) -> dict[str, int]:
    files = [each for each in bundled.rglob("*") if each.is_file()]
    archive = Path(shutil.make_archive(str(folder / "archive"), "zip", bundled))
    return {
        "zip_bytes": archive.stat().st_size,
        "bytes": sum(each.stat().st_size for each in files),
        "files": len(files),
    }
