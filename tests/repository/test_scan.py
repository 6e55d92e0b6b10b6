import pytest

from tests.scan.accepted import Accepted, Finding, differences

ACCEPTED = Accepted(
    rules=["unencrypted"],
    reason="SQS encrypts it.",
    resources=["Stack/Queue"],
    settled_by="customer keys",
)
KNOWN = Finding("default", "unencrypted", "Stack/Queue")


def test_what_was_accepted_is_no_difference():
    assert not list(differences([KNOWN], [ACCEPTED]))


@pytest.mark.parametrize(
    "new",
    [
        KNOWN._replace(rule="unlogged"),
        KNOWN._replace(resource="Stack/OtherQueue"),
        KNOWN._replace(variant="customer keys"),
    ],
    ids=["rule", "resource", "in the variant that settles it"],
)
def test_a_finding_that_nobody_accepted_is_new(new):
    (difference,) = differences([KNOWN, new], [ACCEPTED])

    assert difference.startswith("new")


def test_an_accepted_finding_that_is_found_no_more_is_gone():
    assert list(differences([], [ACCEPTED])) == ["gone: unencrypted Stack/Queue"]


def test_nothing_is_accepted_without_a_reason():
    with pytest.raises(ValueError, match="no reason"):
        Accepted(rules=["unencrypted"], reason=" ", resources=["Stack/Queue"])
