"""Cold starts of the deployed bundle, with AWS's runtime client under its emulator.

Each start is a new process, measured until the function can be invoked. A start imports modules
and creates clients, but makes no AWS calls.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import aws_cdk as cdk

from benchmarks.cold_start_log import by_package, imports, init_ms
from benchmarks.lambda_emulator import ARCHITECTURE, Function, profile_imports, start
from benchmarks.measurements import Part, Target, table
from inference_results.contract import Service
from infra.app import add_stacks
from infra.bundle import bundle
from local.environment import ACCOUNT, REGION, ROOT

ROUNDS: Final = 9
BASE: Final = "boto3 and two clients"
TARGET: Final = 0.85
"""Limit of record_result's cold start, relative to the base."""

_SLOWEST_IMPORTS: Final = {Service.RECORD_RESULT: 15}
_SLOWEST_IMPORTS_DEFAULT: Final = 5
"""Number of imports to save per function."""


def measure() -> Part:
    with tempfile.TemporaryDirectory() as folder:
        bundled = Path(folder) / "bundle"
        runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
        bundle(bundled, runtime=runtime, architecture=ARCHITECTURE)
        uncompiled = Path(folder) / "uncompiled"
        shutil.copytree(bundled, uncompiled, ignore=shutil.ignore_patterns("__pycache__"))

        variables = _function_variables()
        services = {name: _service(name, bundled, variables) for name in Service}
        contestants = {
            "empty handler": _baseline("empty"),
            BASE: _baseline("two_clients"),
            **{name.value: each for name, each in services.items()},
            "record_result, not compiled": _service(Service.RECORD_RESULT, uncompiled, variables),
        }
        _round(contestants)  # discarded: it loads the files into the page cache
        rounds = [_round(contestants) for _ in range(ROUNDS)]
        facts = {
            "bundle": _size(bundled, Path(folder)),
            "imports": {name.value: _imports(name, each) for name, each in services.items()},
        }
    starts = {name: [each[name] for each in rounds] for name in contestants}
    cold_start = table("cold_start", "cold start", "ms", starts, BASE)
    ratios = {row.name: row.ratio.median for row in cold_start.rows if row.ratio}
    record_result = ratios[Service.RECORD_RESULT]
    target = Target(f"cold start of record_result, relative to {BASE}", "x", TARGET, record_result)
    return Part((cold_start,), (target,), facts)


def _round(contestants: Mapping[str, Function]) -> dict[str, float]:
    return {name: init_ms(start(each)) for name, each in contestants.items()}


def _baseline(module: str) -> Function:
    return Function(f"{module}.handler", ROOT / "benchmarks" / "lambda", {})


def _service(name: Service, folder: Path, variables: Mapping[str, Mapping[str, str]]) -> Function:
    handler = f"functions.{name}.handler"
    return Function(handler, folder, variables[handler])


def _function_variables() -> dict[str, dict[str, str]]:
    """Synthesize the stack and return each function's environment variables, by handler."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    unbundled = {"aws:cdk:bundling-stacks": [], "output_prefixes": "s3://outputs/async/"}
    app = cdk.App(context=context | unbundled)
    stack = add_stacks(app)
    template = app.synth().get_stack_by_name(stack.stack_name).template
    return {
        each["Properties"]["Handler"]: {
            name: _resolve(value)
            for name, value in each["Properties"]["Environment"]["Variables"].items()
        }
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function"
    }


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


def _imports(name: Service, function: Function) -> dict[str, Any]:
    """Profile the imports of a function, in milliseconds: the fastest of three runs.

    Profiling slows down every import. The handler module's own time is mostly creating clients.
    """
    profiles = (imports(profile_imports(function)) for _ in range(3))
    fastest = min(profiles, key=lambda profile: sum(each.own_ms for each in profile))
    slowest_imports = fastest[: _SLOWEST_IMPORTS.get(name, _SLOWEST_IMPORTS_DEFAULT)]
    imported = [each for each in fastest if each.module != function.module]
    return {
        "own_ms_by_package": by_package(imported),
        "longest": [asdict(each) for each in slowest_imports],
    }
