"""The tests that documents cite as evidence exist."""

import ast
import re

import pytest

from tests.support.synthesis import ROOT

DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))
WITH_PROMISES = [each for each in DOCUMENTS if each.name in {"security.md", "reliability.md"}]
CITING_TESTS = [each for each in DOCUMENTS if "`tests/" in each.read_text()]


def cited_tests(text):
    """Return the file and name of each `tests/folder/test_file.py::test_name` in backticks."""
    return [each.partition("::")[::2] for each in re.findall(r"`(tests/[^`]*::[^`]*)`", text)]


def collected_names(file):
    """Return the top-level names that pytest collects: functions, classes and assignments."""
    names = set()
    for node in ast.parse(file.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    return {each for each in names if re.match("test|Test", each)}


@pytest.mark.parametrize("document", CITING_TESTS, ids=lambda each: each.stem)
def test_every_cited_test_exists(document):
    missing = [
        f"{file}::{name}"
        for file, name in cited_tests(document.read_text())
        if not (ROOT / file).is_file() or name not in collected_names(ROOT / file)
    ]
    assert missing == []


@pytest.mark.parametrize("document", WITH_PROMISES, ids=lambda each: each.stem)
def test_a_document_with_promises_cites_tests(document):
    assert cited_tests(document.read_text())


def test_only_names_that_pytest_collects_count(tmp_path):
    file = tmp_path / "test_file.py"
    file.write_text("def test_one(): ...\ndef helper(): ...\nTestTwo = object\n# def test_three")
    assert collected_names(file) == {"test_one", "TestTwo"}


def test_only_citations_with_a_test_name_count():
    assert cited_tests("See `tests/a/b.py::test_one`, and `tests/c.py`.") == [
        ("tests/a/b.py", "test_one")
    ]
