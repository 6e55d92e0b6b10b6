"""Every dependency is locked with a hash, and no file contains a secret."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector

from tests.support.synthesis import ROOT

_LOCKED = re.compile(r"[\w.-]+(\[[\w,.-]+\])?==[\w.!+-]+( ; [^;]+?)?( --hash=sha256:[0-9a-f]{64})+")
# Without the detectors of suspicious names and entropy: they are slow, and report test data. Ruff's
# S105 to S107 detect passwords in code.
_DETECTORS = [
    detector()
    for detector in get_mapping_from_secret_type_to_class().values()
    if issubclass(detector, RegexBasedDetector)
]


def _files() -> list[Path]:
    """List tracked files, and new files that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file()]


FILES = _files()
LOCKS = [path for path in FILES if re.fullmatch(r"requirements.*\.txt", path.name)]


def _find_secrets(text: str) -> set[str]:
    return {each.secret_type for each in _DETECTORS for _ in each.analyze_string(text)}


def _unlocked(requirements: str) -> list[str]:
    lines = re.sub(r" *\\\n *", " ", requirements).splitlines()
    return [line for line in lines if not _LOCKED.fullmatch(line)]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_requirement_is_pinned_and_hashed(lock):
    requirements = lock.read_text()

    assert requirements
    assert not _unlocked(requirements)


@pytest.mark.parametrize(
    "requirement",
    [
        "boto3",
        f"boto3>=1 \\\n    --hash=sha256:{'0' * 64}",
        "boto3==1.0",
        f"--index-url https://example.com\nboto3==1 \\\n    --hash=sha256:{'0' * 64}",
        f"boto3 @ https://example.com/boto3.whl \\\n    --hash=sha256:{'0' * 64}",
    ],
)
def test_a_requirement_without_a_version_or_hash_is_reported(requirement):
    assert _unlocked(requirement)


def test_every_requirements_file_has_a_lock_file():
    sources = [path for path in FILES if re.fullmatch(r"requirements.*\.in", path.name)]

    assert sources
    assert {path.with_suffix(".txt") for path in sources} == set(LOCKS)


def test_every_node_package_has_a_hash():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name}

    assert installed
    assert all(each["integrity"].startswith("sha512-") for each in installed.values())


def test_the_node_lock_file_names_no_registry():
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_the_makefile_installs_only_hashed_packages():
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"(?:pip (?:install|sync)|npm (?:ci|install)) .*", makefile)

    assert commands
    for command in commands:
        own_package = "--no-deps" in command and command.endswith("--editable .")
        assert own_package or "--require-hashes" in command or command.startswith("npm ci ")


def test_no_file_contains_a_secret():
    secrets_by_file = {}
    for path in set(FILES) - set(LOCKS):
        if secrets := _find_secrets(path.read_text(errors="replace")):
            secrets_by_file[str(path.relative_to(ROOT))] = secrets

    assert not secrets_by_file


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "Q3EGRZWAFXPLM7TD",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "https://deployer:" + "wX9dk2pQ@example.com",
    ],
    ids=["access key", "private key", "password in a URL"],
)
def test_a_secret_is_found_anywhere_in_a_file(secret):
    assert _find_secrets(f"# a file\n\nvalue: {secret}\n")
