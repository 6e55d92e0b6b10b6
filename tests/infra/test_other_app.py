"""The constructs serve another CDK app; this is the one that the README shows."""

import os
import re
import subprocess
import sys

from tests.synthesis import ROOT


def test_the_readmes_app_of_somebody_else_synthesises(tmp_path):
    readme = (ROOT / "README.md").read_text()
    (app,) = re.findall(r"```python\n(# my_app\.py\n.*?)```", readme, re.DOTALL)
    (tmp_path / "my_app.py").write_text(app)
    (tmp_path / "async-inference-results").symlink_to(ROOT)
    done = subprocess.run(
        [sys.executable, "my_app.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "CDK_OUTDIR": "out",
            "CDK_CONTEXT_JSON": '{"aws:cdk:bundling-stacks": []}',
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "Mine.template.json").exists()
