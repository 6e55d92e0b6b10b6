"""app.py, which `cdk` runs, and local/app.py for the embedded AWS."""

import json
import os
import subprocess
import sys

from tests.alarms import alarms
from tests.synthesis import PREFIXES, ROOT, synthesised


def run(script, out, **settings):
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    context |= {"aws:cdk:bundling-stacks": [], **settings}
    return subprocess.run(
        [sys.executable, *script],
        cwd=ROOT,
        env=os.environ | {"CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps(context)},
        capture_output=True,
        text=True,
        check=False,
    )


def template(out):
    return json.loads((out / "InferenceResults.template.json").read_text())


def test_the_app_applies_the_settings(tmp_path):
    done = run(["app.py"], tmp_path, output_prefixes=PREFIXES, shards="7")
    assert done.returncode == 0, done.stderr
    assert template(tmp_path)["Outputs"]["Shards"]["Value"] == "7"


def test_an_invalid_setting_is_reported_without_a_traceback(tmp_path):
    done = run(["app.py"], tmp_path, output_prefixes=PREFIXES, shards="0")
    assert done.returncode != 0
    assert "setting shards: expected" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_local_app_only_lacks_alarms_on_metric_math(tmp_path):
    settings = {"output_prefixes": PREFIXES, "watched_endpoints": "speech,ocr"}
    done = run(["-m", "local.app"], tmp_path, **settings)
    assert done.returncode == 0, done.stderr
    whole = synthesised("default", watched_endpoints="speech,ocr")["InferenceResults"]
    removed = set(whole["Resources"]) - set(template(tmp_path)["Resources"])
    assert removed == {name for name, alarm in alarms(whole).items() if "Metrics" in alarm}
