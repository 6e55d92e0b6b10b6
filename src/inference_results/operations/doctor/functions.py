"""Check functions and their event source mappings."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.contract import Variable
from inference_results.operations.doctor.aws_cli import aws_command
from inference_results.operations.doctor.deployment import MAPPING, Deployment, Resource
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom

_MIN_TIMEOUTS: Final = 6
"""AWS recommends a visibility timeout of at least six function timeouts."""
_SECRET_VARIABLES: Final = frozenset({Variable.CURSOR_KEY})
_MAX_SHOWN_LENGTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionChecks:
    """Check the functions of the stack. `lambda_`, `sqs` and `dynamodb` are boto3 clients."""

    deployment: Deployment
    lambda_: Any
    sqs: Any
    dynamodb: Any

    def checks(self) -> Iterator[Check]:
        for function in self.deployment.functions:
            name = function.physical_id
            yield Check(resource=name, run=partial(self._function, function))
            yield Check(resource=name, run=partial(self._concurrency, function))
        names = {function.physical_id for function in self.deployment.functions}
        for mapping in self.deployment.of_type(MAPPING):
            name = mapping.properties["FunctionName"]
            if name not in names:
                continue
            yield Check(
                resource=name,
                run=partial(self._mapping, mapping),
                effect_if_missing="Lambda does not invoke the function: its event source mapping"
                f" {mapping.physical_id} does not exist.",
            )
            queue = self.deployment.queue(mapping.properties["EventSourceArn"])
            if queue:
                yield Check(
                    resource=queue.physical_id, run=partial(self._visibility, queue, mapping)
                )
            else:
                yield Check(resource=name, run=partial(self._stream, mapping))

    def _function(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        actual = self.lambda_.get_function_configuration(FunctionName=name)
        # Inactive is healthy: Lambda reactivates an idle function when it is invoked.
        for member in ("State", "LastUpdateStatus"):
            if actual.get(member) == "Failed":
                reason = actual.get(f"{member}Reason", "Lambda gives no reason")
                yield Finding(
                    severity=Severity.ERROR,
                    symptom=Symptom.FUNCTION_FAILED,
                    resource=name,
                    problem=f"The function's {member} is Failed: {reason}",
                    effect="It does not run, or runs with its former code or settings.",
                    remedy="Fix the cause, then deploy again.",
                )
        variables = actual.get("Environment", {}).get("Variables", {})
        if differences := list(_environment_differences(expected, variables)):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.FUNCTION_SETTINGS,
                resource=name,
                problem="Its environment differs from the stack's: " + "; ".join(differences),
                effect="The function may use other resources, or behave differently from the"
                " others.",
                remedy="Restore the stack's values in the console, or with aws lambda"
                " update-function-configuration, which replaces all variables. To change a setting,"
                " deploy the stack: see docs/settings.md.",
            )

    def _concurrency(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        actual = self.lambda_.get_function_concurrency(FunctionName=name)
        if actual.get("ReservedConcurrentExecutions") != 0:
            return
        reserved = expected.properties.get("ReservedConcurrentExecutions")
        options = ("--function-name", name)
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.FUNCTION_STOPPED,
            resource=name,
            problem="Its reserved concurrency is 0: somebody stopped the function.",
            effect="It does not run. Requests to it fail, and its messages end up in the"
            " dead-letter queue.",
            remedy=aws_command("lambda", "delete-function-concurrency", *options)
            if reserved is None
            else aws_command(
                *("lambda", "put-function-concurrency", *options),
                *("--reserved-concurrent-executions", str(reserved)),
            ),
        )

    def _mapping(self, expected: Resource) -> Iterator[Finding]:
        uuid = expected.physical_id
        name = expected.properties["FunctionName"]
        actual = self.lambda_.get_event_source_mapping(UUID=uuid)
        if actual["State"] in ("Disabled", "Disabling", "Deleting"):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.MAPPING_DISABLED,
                resource=name,
                problem=f"Its event source mapping {uuid} is {actual['State']}.",
                effect="Lambda does not invoke the function: messages of a queue are lost after 14"
                " days, changes of a stream after 24 hours.",
                remedy=aws_command(
                    "lambda", "update-event-source-mapping", "--uuid", uuid, "--enabled"
                ),
            )
        response_types = expected.properties.get("FunctionResponseTypes", [])
        if missing := set(response_types) - set(actual.get("FunctionResponseTypes", [])):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.MAPPING_RESPONSE,
                resource=name,
                problem=f"Its event source mapping {uuid} lacks {', '.join(sorted(missing))}.",
                effect="Failed messages count as done and are lost.",
                remedy=aws_command(
                    *("lambda", "update-event-source-mapping", "--uuid", uuid),
                    *("--function-response-types", *response_types),
                ),
            )
        if (result := actual.get("LastProcessingResult") or "").startswith("PROBLEM"):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.MAPPING_FAILING,
                resource=name,
                problem=f"Its event source mapping {uuid} reports: {result}",
                effect="It is stuck at a stream batch. After 12 hours Lambda skips it, and it"
                " becomes a dead letter.",
                remedy="Look up the error in the function's log.",
            )

    def _visibility(self, queue: Resource, mapping: Resource) -> Iterator[Finding]:
        name = mapping.properties["FunctionName"]
        timeout = self.lambda_.get_function_configuration(FunctionName=name)["Timeout"]
        visibility_timeout = self.sqs.get_queue_attributes(
            QueueUrl=queue.physical_id, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]["VisibilityTimeout"]
        if int(visibility_timeout) < _MIN_TIMEOUTS * timeout:
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.VISIBILITY_TOO_SHORT,
                resource=queue.physical_id,
                problem=f"Its visibility timeout is {visibility_timeout} s, less than"
                f" {_MIN_TIMEOUTS} times the timeout of {name}, which is {timeout} s.",
                effect="SQS delivers messages again while the function still processes them, and"
                " moves messages to the dead-letter queue that did not fail.",
                remedy=aws_command(
                    *("sqs", "set-queue-attributes", "--queue-url", queue.physical_id),
                    *("--attributes", f"VisibilityTimeout={_MIN_TIMEOUTS * timeout}"),
                ),
            )

    def _stream(self, mapping: Resource) -> Iterator[Finding]:
        """Check that the mapping reads the table's current stream."""
        actual = self.lambda_.get_event_source_mapping(UUID=mapping.physical_id)
        table_arn, is_stream, _ = actual["EventSourceArn"].partition("/stream/")
        if not is_stream:
            return
        table_name = table_arn.rpartition("/")[2]
        table = self.dynamodb.describe_table(TableName=table_name)["Table"]
        current_stream = table.get("LatestStreamArn")
        if current_stream != actual["EventSourceArn"]:
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.MAPPING_OLD_STREAM,
                resource=mapping.properties["FunctionName"],
                problem=f"It reads a former stream of {table_name}: {actual['EventSourceArn']}",
                effect="Changes of records are neither counted nor published.",
                remedy="Delete its event source mapping, and create it again as the stack's"
                f" template describes it, for {current_stream}.",
            )


def _environment_differences(expected: Resource, actual: dict[str, str]) -> Iterator[str]:
    for name, value in expected.environment.items():
        if value is None or actual.get(name) == value:
            continue
        if name in _SECRET_VARIABLES:
            yield f"{name} differs"
        elif name not in actual:
            yield f"{name} is missing, the stack has {value[:_MAX_SHOWN_LENGTH]}"
        else:
            shown = actual[name][:_MAX_SHOWN_LENGTH]
            yield f"{name} is {shown}, the stack has {value[:_MAX_SHOWN_LENGTH]}"
