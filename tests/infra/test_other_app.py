"""The construct works in another CDK app, as docs/operations/deploying.md shows."""

import re

from tests.support.synthesis import ROOT, run_app


def test_the_documented_cdk_app_synthesizes(tmp_path):
    document = (ROOT / "docs/operations/deploying.md").read_text()
    (app,) = re.findall(r"```python\n(# my_app\.py\n.*?)```", document, re.DOTALL)
    script = tmp_path / "my_app.py"
    script.write_text(app)
    (tmp_path / "async-inference-results").symlink_to(ROOT)
    output = run_app(script, tmp_path, {"aws:cdk:bundling-stacks": []})
    assert (output / "Mine.template.json").exists()
