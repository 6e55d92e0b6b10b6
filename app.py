"""The CDK app: settings from the context, one stack, and a second for an endpoint if asked."""

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from infra.app import add_stacks
from infra.settings import SettingsError

app = cdk.App()
try:
    add_stacks(app)
except SettingsError as error:
    raise SystemExit(str(error)) from None
cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
