"""Tests and their helpers import from support modules, never from test files or conftests."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.synthesis import ROOT

TESTS = ROOT / "tests"
FILES = sorted(TESTS.rglob("*.py"))


def imported_modules(source: str) -> Iterator[str]:
    """Return the full name of each imported module, and of each name that could be one.

    A relative name starts with `tests` alone.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                package = ".".join(filter(None, ["tests" if level else "", module]))
                yield package
                yield from (f"{package}.{each.name}" for each in names)


def is_test_or_conftest(module: str) -> bool:
    """Return whether a module is a test file or a conftest of this repository."""
    package, _, name = module.rpartition(".")
    return package.split(".")[0] == "tests" and (name.startswith("test_") or name == "conftest")


@pytest.mark.parametrize("file", FILES, ids=lambda each: str(each.relative_to(TESTS)))
def test_no_file_imports_from_a_test_or_a_conftest(file: Path) -> None:
    assert not [*filter(is_test_or_conftest, imported_modules(file.read_text()))]


@pytest.mark.parametrize(
    "source",
    [
        "from tests.conftest import resources",
        "from tests.infra.test_stack import named",
        "from tests.deploy import test_doctor",
        "import tests.deploy.conftest",
        "from . import conftest",
        "from .test_stack import named",
        "def lazy():\n    from tests.infra.test_alarms import PAGES",
    ],
)
def test_each_form_of_an_import_is_found(source: str) -> None:
    assert [*filter(is_test_or_conftest, imported_modules(source))]


def test_imports_of_support_modules_and_libraries_are_allowed() -> None:
    source = "from tests.support.fakes import World\nfrom unittest import test_case\nimport pytest"
    assert not [*filter(is_test_or_conftest, imported_modules(source))]
