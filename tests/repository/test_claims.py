"""The tests that documents name beside their claims are there."""

import ast
import re

import pytest

from tests.synthesis import ROOT

DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))
CLAIMING = [each for each in DOCUMENTS if each.name in {"security.md", "reliability.md"}]
NAMING = [each for each in DOCUMENTS if "`tests/" in each.read_text()]


def named_tests(document):
    """`tests/folder/test_file.py::test_name`: the file and the name, of each in backticks."""
    return [each.partition("::")[::2] for each in re.findall(r"`(tests/[^`]*::[^`]*)`", document)]


def run_by_pytest(file):
    """What pytest runs of a file, at its top: functions, classes, and what is assigned to one."""
    names = set()
    for node in ast.parse(file.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    return {each for each in names if re.match("test|Test", each)}


@pytest.mark.parametrize("document", NAMING, ids=lambda each: each.stem)
def test_every_test_that_a_document_names_exists(document):
    missing = [
        f"{file}::{name}"
        for file, name in named_tests(document.read_text())
        if not (ROOT / file).is_file() or name not in run_by_pytest(ROOT / file)
    ]
    assert missing == []


@pytest.mark.parametrize("document", CLAIMING, ids=lambda each: each.stem)
def test_a_document_of_claims_names_tests(document):
    assert named_tests(document.read_text())


def test_a_test_that_is_not_there_is_missed(tmp_path):
    """Whatever else stands in the file under that name."""
    file = tmp_path / "test_file.py"
    file.write_text("def test_one(): ...\ndef helper(): ...\nTestTwo = object\n# def test_three")
    assert run_by_pytest(file) == {"test_one", "TestTwo"}
    assert named_tests("As `tests/a/b.py::test_one` says, and `tests/c.py` not.") == [
        ("tests/a/b.py", "test_one")
    ]
