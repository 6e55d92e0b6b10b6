import pytest

from tests.scan.accepted import Accepted, Finding, differences

ACCEPTED = Accepted(
    rules=["unencrypted"],
    reason="SQS encrypts it.",
    resources=["Stack/Queue"],
    settled_by="customer keys",
)
KNOWN = Finding("default", "unencrypted", "Stack/Queue")


def test_an_accepted_finding_is_not_reported():
    assert not list(differences([KNOWN], [ACCEPTED]))


@pytest.mark.parametrize(
    "new",
    [
        KNOWN._replace(rule="unlogged"),
        KNOWN._replace(resource="Stack/OtherQueue"),
        KNOWN._replace(variant="customer keys"),
    ],
    ids=["rule", "resource", "in the variant that fixes it"],
)
def test_a_finding_that_is_not_accepted_is_reported_as_new(new):
    (difference,) = differences([KNOWN, new], [ACCEPTED])

    assert difference.startswith("new")


def test_an_accepted_finding_that_no_longer_occurs_is_reported_as_gone():
    assert list(differences([], [ACCEPTED])) == ["gone: unencrypted Stack/Queue"]


def test_an_accepted_finding_needs_a_reason():
    with pytest.raises(ValueError, match="expected a reason"):
        Accepted(rules=["unencrypted"], reason=" ", resources=["Stack/Queue"])
