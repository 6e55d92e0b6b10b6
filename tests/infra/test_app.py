"""What `cdk` runs: app.py, and on the embedded AWS local/app.py."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.alarms import alarms
from tests.support.synthesis import PREFIXES, ROOT, app_context, run_app, synthesised

WITHOUT_THE_PACKAGE = (
    "import runpy, sys; sys.path = [each for each in sys.path if not each.endswith('/src')];"
    "runpy.run_path('app.py', run_name='__main__')"
)
"""Run app.py where only requirements.txt is installed."""


def template(output):
    return json.loads((output / "InferenceResults.template.json").read_text())


def test_the_app_needs_requirements_txt_alone(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_PACKAGE],
        cwd=ROOT,
        env=environment
        | {
            "CDK_OUTDIR": str(tmp_path),
            "CDK_CONTEXT_JSON": json.dumps(app_context(output_prefixes=PREFIXES, shards="7")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert template(tmp_path)["Outputs"]["Shards"]["Value"] == "7"


def test_an_invalid_setting_is_reported_without_a_traceback(tmp_path):
    context = app_context(output_prefixes=PREFIXES, shards="0")
    with pytest.raises(SystemExit, match="setting shards: expected"):
        run_app(ROOT / "app.py", tmp_path, context)


def test_the_embedded_aws_gets_everything_except_metric_math_alarms(tmp_path):
    context = app_context(output_prefixes=PREFIXES, watched_endpoints="speech,ocr")
    output = run_app(ROOT / "local" / "app.py", tmp_path, context)
    whole = synthesised("default", watched_endpoints="speech,ocr")["InferenceResults"]
    missing = set(whole["Resources"]) - set(template(output)["Resources"])
    assert missing == {name for name, alarm in alarms(whole).items() if "Metrics" in alarm}
