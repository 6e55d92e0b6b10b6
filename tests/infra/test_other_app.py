"""The construct works in another CDK app, as docs/operations/deploying.md shows."""

import os
import re
import subprocess
import sys

from tests.synthesis import ROOT


def test_the_documented_cdk_app_synthesizes(tmp_path):
    document = (ROOT / "docs/operations/deploying.md").read_text()
    (app,) = re.findall(r"```python\n(# my_app\.py\n.*?)```", document, re.DOTALL)
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
