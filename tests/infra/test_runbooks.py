"""The runbooks have what an operator looks for, and the documents' links lead somewhere."""

import re

import pytest

from infra.alarm_topic import Runbook
from tests.infra.test_alarms import PAGES
from tests.synthesis import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("runbook", sorted(Runbook))
def test_a_runbook_goes_from_symptom_to_verification(runbook):
    headings = re.findall(r"^## (.*)$", (PAGES / f"{runbook}.md").read_text(), re.M)
    assert headings == ["Symptom", "Meaning", "Check", "Repair", "Verification"]


def anchors(document):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        found = (document.parent / target).resolve() if target else document
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), f"{target}#{anchor}"
