"""app.py for the embedded AWS: without the alarms that it does not know, those on metric math.

The tests of the templates look at all of them.
"""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.app import add_stacks


def leave_out_metric_math(app: cdk.App) -> None:
    """An alarm has either one metric by its name or several with an expression."""
    for each in app.node.find_all():
        if isinstance(each, cloudwatch.CfnAlarm) and each.metric_name is None and each.node.scope:
            each.node.scope.node.try_remove_child(each.node.id)


def main() -> None:
    app = cdk.App()
    add_stacks(app)
    leave_out_metric_math(app)
    app.synth()


if __name__ == "__main__":
    main()
