"""The CDK app: reads the settings from the context and adds the stacks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

import aws_cdk as cdk  # noqa: E402 - needs the path above
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from infra.app import add_stacks  # noqa: E402
from infra.settings import SettingsError  # noqa: E402

app = cdk.App()
try:
    add_stacks(app)
except SettingsError as error:
    raise SystemExit(str(error)) from None
cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
