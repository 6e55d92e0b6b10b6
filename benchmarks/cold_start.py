"""Cold starts: AWS's own runtime client under its emulator, with the bundle that is deployed.

Each start is a process of its own, up to when the function could be invoked. No network is needed:
a start imports modules and makes clients, and calls nobody.
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

from benchmarks.lambda_emulator import ARCHITECTURE, Function, start, start_profiled
from benchmarks.measured import Part, Target, table
from benchmarks.start_log import by_package, imports, init_ms
from inference_results.contract import Service
from infra.app import add_stacks
from infra.bundle import bundle
from local.environment import ACCOUNT, REGION, ROOT

ROUNDS: Final = 9
BASE: Final = "boto3 and two clients"
TARGET: Final = 0.85
"""Of `record_result`, to the base."""

_LONGEST: Final = {Service.RECORD_RESULT: 15}
_LONGEST_OF_OTHERS: Final = 5
"""How many imports are told of a function."""


def measure() -> Part:
    with tempfile.TemporaryDirectory() as folder:
        bundled = Path(folder) / "bundle"
        runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
        bundle(bundled, runtime=runtime, architecture=ARCHITECTURE)
        uncompiled = Path(folder) / "uncompiled"
        shutil.copytree(bundled, uncompiled, ignore=shutil.ignore_patterns("__pycache__"))

        environments = _environments()
        ours = {name: _ours(name, bundled, environments) for name in Service}
        contestants = {
            "an empty handler": _other("empty"),
            BASE: _other("two_clients"),
            **{name.value: each for name, each in ours.items()},
            "record_result, not compiled": _ours(Service.RECORD_RESULT, uncompiled, environments),
        }
        _round(contestants)  # not counted: it brings the files into memory
        rounds = [_round(contestants) for _ in range(ROUNDS)]
        facts = {
            "bundle": _size(bundled, Path(folder)),
            "imports": {name.value: _imports(name, each) for name, each in ours.items()},
        }
    starts = {name: [each[name] for each in rounds] for name in contestants}
    cold_start = table("cold_start", "cold start", "ms", starts, BASE)
    ratios = {row.name: row.ratio.median for row in cold_start.rows if row.ratio}
    record_result = ratios[Service.RECORD_RESULT]
    target = Target(f"cold start of record_result, to {BASE}", "x", TARGET, record_result)
    return Part((cold_start,), (target,), facts)


def _round(contestants: Mapping[str, Function]) -> dict[str, float]:
    return {name: init_ms(start(each)) for name, each in contestants.items()}


def _other(module: str) -> Function:
    return Function(f"{module}.handler", ROOT / "benchmarks" / "lambda", {})


def _ours(name: Service, folder: Path, environments: Mapping[str, Mapping[str, str]]) -> Function:
    handler = f"functions.{name}.handler"
    return Function(handler, folder, environments[handler])


def _environments() -> dict[str, dict[str, str]]:
    """The variables of each function by its handler, as the template of the stack has them."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    unbundled = {"aws:cdk:bundling-stacks": [], "output_prefixes": "s3://outputs/async/"}
    app = cdk.App(context=context | unbundled)
    stack = add_stacks(app)
    template = app.synth().get_stack_by_name(stack.stack_name).template
    return {
        each["Properties"]["Handler"]: {
            name: _resolved(value)
            for name, value in each["Properties"]["Environment"]["Variables"].items()
        }
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function"
    }


def _resolved(value: Any) -> str:
    """Made up for what is known once it is deployed; nobody is called by it."""
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
    """Milliseconds of the quickest of three; what writes them down makes all of them longer.

    What the handler's module takes itself is mostly the making of clients.
    """
    profiles = (imports(start_profiled(function)) for _ in range(3))
    quickest = min(profiles, key=lambda profile: sum(each.own_ms for each in profile))
    longest = quickest[: _LONGEST.get(name, _LONGEST_OF_OTHERS)]
    imported = [each for each in quickest if each.module != function.module]
    return {
        "own_ms_by_package": by_package(imported),
        "longest": [asdict(each) for each in longest],
    }
