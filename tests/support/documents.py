"""Parts of the documentation that tests run or compare."""

import json
import re
from typing import Any

from tests.support.synthesis import ROOT

RUNBOOKS = ROOT / "docs" / "operations" / "runbooks"
STATE_MACHINE_FILE = ROOT / "docs" / "guides" / "step-functions" / "submit-and-wait.asl.json"


def state_machine_definition() -> dict[str, Any]:
    """Return the documented state machine, in the Amazon States Language."""
    definition: dict[str, Any] = json.loads(STATE_MACHINE_FILE.read_text())
    return definition


def blocks(document: str, language: str) -> list[str]:
    """Return the fenced blocks of a language. `document` is a path below the repository's root."""
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
