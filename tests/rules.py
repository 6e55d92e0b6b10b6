"""The CDK app in docs/guides/events.md."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.synthesis import ROOT

_DOCUMENT = ROOT / "docs" / "guides" / "events.md"


def rules_template(kinds: Iterable[str], bus_arn: str, folder: Path) -> dict[str, Any]:
    """Synthesize the app with rules of some kinds, such as `a queue`."""
    blocks = re.findall(r"^```python\n# (.*?)\n(.*?)^```", _DOCUMENT.read_text(), re.M | re.S)
    wanted = ("my_rules.py", *kinds, "the end")
    parts = dict(blocks)
    app = folder / "my_rules.py"
    app.write_text("\n".join(parts[each] for each in wanted))
    subprocess.run(
        [sys.executable, app],
        cwd=folder,
        env={**os.environ, "EVENT_BUS_ARN": bus_arn, "CDK_OUTDIR": str(folder / "out")},
        check=True,
    )
    template: dict[str, Any] = json.loads(
        (folder / "out" / "InferenceEvents.template.json").read_text()
    )
    return template
