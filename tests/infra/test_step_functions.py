"""The documented state machine, as CDK makes one of it."""

import json

from tests.synthesis import ROOT

FILE = ROOT / "docs" / "step-functions" / "submit-and-wait.asl.json"


def definition():
    return json.loads(FILE.read_text())
