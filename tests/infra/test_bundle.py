import hashlib
import sys
from pathlib import Path

import pytest

from infra.bundle import _find_interpreter, bundle
from infra.setting_types import NEWEST_RUNTIME

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    output = tmp_path_factory.mktemp("bundle")
    bundle(output, runtime=RUNTIME, architecture="arm64")
    return output


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_the_bundle_contains_the_functions_and_their_requirements(bundled):
    assert (bundled / "functions/record_result.py").exists()
    assert (bundled / "aws_lambda_powertools/__init__.py").exists()


def test_the_client_is_not_bundled(bundled):
    assert not (bundled / "inference_results/client").exists()


def test_libraries_of_the_runtime_are_not_bundled(bundled):
    assert not {"boto3", "botocore", "s3transfer"} & {each.name for each in bundled.iterdir()}


def test_browser_files_are_not_bundled(bundled):
    assert not [each for each in bundled.rglob("*") if each.suffix in {".js", ".css"}]


def test_modules_are_compiled_if_the_runtime_is_installed(bundled):
    assert list(bundled.glob("inference_results/__pycache__/contract.*.pyc"))


def test_a_broken_interpreter_on_the_path_is_ignored(tmp_path, monkeypatch):
    broken = tmp_path / "python3.9"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "none"))

    assert _find_interpreter("3.9") is None


def test_bundling_is_reproducible(bundled, tmp_path):
    bundle(tmp_path, runtime=RUNTIME, architecture="arm64")
    assert fingerprint(tmp_path) == fingerprint(bundled)


def test_the_default_runtime_does_not_have_to_be_installed(tmp_path):
    bundle(tmp_path, runtime=NEWEST_RUNTIME, architecture="arm64")
    assert (tmp_path / "functions/status_api.py").exists()
    assert (tmp_path / "aws_lambda_powertools/__init__.py").exists()


def test_the_bundle_is_far_below_lambdas_limit(bundled):
    size = sum(file.stat().st_size for file in bundled.rglob("*") if file.is_file())
    assert size < 20 * 1024 * 1024
