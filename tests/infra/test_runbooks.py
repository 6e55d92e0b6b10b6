"""Runbooks have the same sections, and links in documents have targets."""

import re

import pytest

from infra.alarm_topic import Runbook
from tests.support.documents import RUNBOOKS
from tests.support.synthesis import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("runbook", sorted(Runbook))
def test_every_runbook_has_the_same_sections(runbook):
    headings = re.findall(r"^## (.*)$", (RUNBOOKS / f"{runbook}.md").read_text(), re.M)
    assert headings == ["Symptom", "Meaning", "Check", "Repair", "Verification"]


def anchors(document):
    """Return a document's anchors, as GitHub derives them from headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_have_targets(document):
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        found = (document.parent / target).resolve() if target else document
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), f"{target}#{anchor}"
