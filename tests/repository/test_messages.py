"""Messages use the words of docs/glossary.md."""

import re

from tests.repository.messages import texts

RULED_OUT = re.compile(
    r"\b(told|tells?|questions?|anew|pretend\w*|sweeps?|swept|announce\w*|wired?|unwire"
    r"|whoever|refuse[sd]?|parked)\b|\bis none\b"
)
MESSAGES = [*texts()]


def test_messages_are_found():
    places = {each.place.partition("/")[0] for each in MESSAGES}
    assert places == {"src", "functions", "infra", "local"}


def test_messages_use_the_terms_of_the_glossary():
    assert not [each for each in MESSAGES if RULED_OUT.search(each.text)]
