"""The CDK app for the embedded AWS, which does not support alarms on metric math.

Tests of the templates check those alarms.
"""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.app import add_stacks


def remove_metric_math_alarms(app: cdk.App) -> None:
    """Remove alarms on an expression: they have several metrics, and no metric name."""
    for each in app.node.find_all():
        if isinstance(each, cloudwatch.CfnAlarm) and each.metric_name is None and each.node.scope:
            each.node.scope.node.try_remove_child(each.node.id)


def main() -> None:
    app = cdk.App()
    add_stacks(app)
    remove_metric_math_alarms(app)
    app.synth()


if __name__ == "__main__":
    main()
