"""What is installed is what was locked, and no file holds a secret."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector

from tests.synthesis import ROOT

_LOCKED = re.compile(r"[\w.-]+(\[[\w,.-]+\])?==[\w.!+-]+( ; [^;]+?)?( --hash=sha256:[0-9a-f]{64})+")
# Not those that judge names and entropy: they take longest, and find what tests make up. In the
# code ruff's S105 to S107 look for passwords.
_DETECTORS = [
    detector()
    for detector in get_mapping_from_secret_type_to_class().values()
    if issubclass(detector, RegexBasedDetector)
]


def _files() -> list[Path]:
    """Known to git, or about to be."""
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


def _secrets(text: str) -> set[str]:
    return {each.secret_type for each in _DETECTORS for _ in each.analyze_string(text)}


def _not_locked(requirements: str) -> list[str]:
    lines = re.sub(r" *\\\n *", " ", requirements).splitlines()
    return [line for line in lines if not _LOCKED.fullmatch(line)]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_requirement_is_pinned_and_hashed(lock):
    requirements = lock.read_text()

    assert requirements
    assert not _not_locked(requirements)


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
def test_a_requirement_without_a_version_or_a_hash_is_not_locked(requirement):
    assert _not_locked(requirement)


def test_what_is_required_is_locked():
    required = [path for path in FILES if re.fullmatch(r"requirements.*\.in", path.name)]

    assert required
    assert {path.with_suffix(".txt") for path in required} == set(LOCKS)


def test_every_package_of_node_has_its_hash():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name}

    assert installed
    assert all(each["integrity"].startswith("sha512-") for each in installed.values())


def test_packages_of_node_come_from_the_registry_of_whoever_installs_them():
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_nothing_is_installed_without_a_hash():
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"(?:pip (?:install|sync)|npm (?:ci|install)) .*", makefile)

    assert commands
    for command in commands:
        ours = "--no-deps" in command and command.endswith("--editable .")
        assert ours or "--require-hashes" in command or command.startswith("npm ci ")


def test_no_file_holds_a_secret():
    found = {}
    for path in set(FILES) - set(LOCKS):
        if secrets := _secrets(path.read_text(errors="replace")):
            found[str(path.relative_to(ROOT))] = secrets

    assert not found


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "Q3EGRZWAFXPLM7TD",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "https://deployer:" + "wX9dk2pQ@example.com",
    ],
    ids=["access key", "private key", "password in a URL"],
)
def test_a_secret_is_seen_wherever_it_stands(secret):
    assert _secrets(f"# a file\n\nvalue: {secret}\n")
