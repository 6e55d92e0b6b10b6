"""The bundle holds exactly the modules that the functions import."""

import json
import os
import subprocess
import sys

import pytest

from infra.sources import function_sources
from tests.support.cloudformation import resources
from tests.support.synthesis import ROOT

IMPORT_ALL = """
import importlib, json, os, sys
for name, variables in json.loads(sys.argv[1]).items():
    os.environ.update(variables)
    importlib.import_module(name)
packages = ("functions", "inference_results")
loaded = [module for name, module in sys.modules.items() if name.split(".")[0] in packages]
print(json.dumps([module.__file__ for module in loaded]))
"""


@pytest.fixture(scope="module")
def imported(template):
    """The files that Python loads for all functions, as paths in the bundle."""
    functions = [
        each["Properties"] for each in resources(template, "AWS::Lambda::Function").values()
    ]
    environments = {
        each["Handler"].rpartition(".")[0]: {
            name: value if isinstance(value, str) else "arn:aws:events:us-east-1:1:any/thing"
            for name, value in each["Environment"]["Variables"].items()
        }
        for each in functions
    }
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps(environments)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout.splitlines()[-1])
    return {file.removeprefix(f"{ROOT}/").removeprefix("src/") for file in files}


def test_the_bundle_holds_exactly_the_imported_modules(imported):
    modules = {path for path in function_sources() if path.endswith(".py")}
    assert modules == imported


def test_every_function_is_bundled():
    names = {f"functions/{each.name}" for each in (ROOT / "functions").glob("*.py")}
    assert names <= function_sources().keys()


def test_a_change_of_what_only_callers_import_leaves_the_bundle_alone():
    packages = ("client/", "cli/", "operations/", "domain/reconciliation/backfill")
    prefixes = tuple(f"inference_results/{each}" for each in packages)
    assert not [path for path in function_sources() if path.startswith(prefixes)]


def test_the_openapi_document_is_bundled():
    assert "functions/http_api/openapi.json" in function_sources()
