"""The CDK app in docs/guides/events.md."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.synthesis import ROOT, run_app

_DOCUMENT = ROOT / "docs" / "guides" / "events.md"


def rules_template(kinds: Iterable[str], bus_arn: str, folder: Path) -> dict[str, Any]:
    """Synthesize the app with rules of some kinds, such as `a queue`."""
    blocks = re.findall(r"^```python\n# (.*?)\n(.*?)^```", _DOCUMENT.read_text(), re.M | re.S)
    wanted = ("my_rules.py", *kinds, "the end")
    parts = dict(blocks)
    app = folder / "my_rules.py"
    app.write_text("\n".join(parts[each] for each in wanted))
    output = run_app(app, folder, {}, EVENT_BUS_ARN=bus_arn)
    template: dict[str, Any] = json.loads((output / "InferenceEvents.template.json").read_text())
    return template
