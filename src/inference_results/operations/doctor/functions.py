"""Functions, and what calls those that read queues and streams."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.contract import Variable
from inference_results.operations.doctor.aws_commands import aws
from inference_results.operations.doctor.deployment import MAPPING, Deployment, Resource
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom

_TIMEOUTS: Final = 6
"""As often the function's timeout: what AWS asks of the visibility timeout of its queue."""
_UNTOLD: Final = frozenset({Variable.CURSOR_KEY})
_LONGEST_VALUE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """`lambda_`, `sqs` and `dynamodb` are clients of boto3."""

    deployment: Deployment
    lambda_: Any
    sqs: Any
    dynamodb: Any

    def checks(self) -> Iterator[Check]:
        for each in self.deployment.functions:
            yield Check(resource=each.physical_id, run=partial(self._function, each))
            yield Check(resource=each.physical_id, run=partial(self._concurrency, each))
        own = {each.physical_id for each in self.deployment.functions}
        for each in self.deployment.of(MAPPING):
            resource = each.properties["FunctionName"]
            if resource not in own:
                continue
            yield Check(
                resource=resource,
                run=partial(self._mapping, each),
                if_gone=f"Its event source mapping {each.physical_id} is gone: nothing calls it.",
            )
            source = self.deployment.queue(each.properties["EventSourceArn"])
            if source:
                yield Check(
                    resource=source.physical_id, run=partial(self._visibility, source, each)
                )
            else:
                yield Check(resource=resource, run=partial(self._stream, each))

    def _function(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        actual = self.lambda_.get_function_configuration(FunctionName=name)
        # Inactive is what was not called for weeks: the next call wakes it.
        for member in ("State", "LastUpdateStatus"):
            if actual.get(member) == "Failed":
                reason = actual.get(f"{member}Reason", "no reason is given")
                yield Finding(
                    severity=Severity.ERROR,
                    symptom=Symptom.FUNCTION_UNFIT,
                    resource=name,
                    problem=f"Its {member} is Failed: {reason}",
                    effect="It does not run, or with the code or settings of before.",
                    remedy="Repair what the reason names, and deploy again.",
                )
        differing = dict(_differing(expected, actual.get("Environment", {}).get("Variables", {})))
        if differing:
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.FUNCTION_SETTINGS,
                resource=name,
                problem="Its environment is not the stack's: " + "; ".join(differing.values()),
                effect="It may write and read elsewhere than the other functions do, or otherwise.",
                remedy="Set them as the stack has them (in the console, or with aws lambda"
                " update-function-configuration, which takes all variables at once). To change a"
                " setting, deploy: docs/settings.md.",
            )

    def _concurrency(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        reserved = self.lambda_.get_function_concurrency(FunctionName=name)
        if reserved.get("ReservedConcurrentExecutions") != 0:
            return
        own = expected.properties.get("ReservedConcurrentExecutions")
        words = ("--function-name", name)
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.FUNCTION_STOPPED,
            resource=name,
            problem="Its reserved concurrency is 0: somebody stopped it.",
            effect="What it does is not done; its messages wait, and go to the dead letters in"
            " the end.",
            remedy=aws("lambda", "delete-function-concurrency", *words)
            if own is None
            else aws(
                *("lambda", "put-function-concurrency", *words),
                *("--reserved-concurrent-executions", str(own)),
            ),
        )

    def _mapping(self, expected: Resource) -> Iterator[Finding]:
        uuid = expected.physical_id
        resource = expected.properties["FunctionName"]
        actual = self.lambda_.get_event_source_mapping(UUID=uuid)
        if actual["State"] in ("Disabled", "Disabling", "Deleting"):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.MAPPING_DISABLED,
                resource=resource,
                problem=f"Its event source mapping {uuid} is {actual['State']}.",
                effect="It is not called: messages of a queue are lost after 14 days, changes of"
                " a stream after 24 hours.",
                remedy=aws("lambda", "update-event-source-mapping", "--uuid", uuid, "--enabled"),
            )
        wanted = expected.properties.get("FunctionResponseTypes", [])
        if missing := set(wanted) - set(actual.get("FunctionResponseTypes", [])):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.MAPPING_RESPONSE,
                resource=resource,
                problem=f"Its event source mapping {uuid} lacks {', '.join(sorted(missing))}.",
                effect="Messages that failed count as done, and are lost.",
                remedy=aws(
                    *("lambda", "update-event-source-mapping", "--uuid", uuid),
                    *("--function-response-types", *wanted),
                ),
            )
        if (result := actual.get("LastProcessingResult") or "").startswith("PROBLEM"):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.MAPPING_FAILING,
                resource=resource,
                problem=f"Its event source mapping {uuid} says: {result}",
                effect="It does not get on. After 12 hours what it could not do is given up.",
                remedy="The function's log says why.",
            )

    def _visibility(self, queue: Resource, mapping: Resource) -> Iterator[Finding]:
        name = mapping.properties["FunctionName"]
        timeout = self.lambda_.get_function_configuration(FunctionName=name)["Timeout"]
        visible = self.sqs.get_queue_attributes(
            QueueUrl=queue.physical_id, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]["VisibilityTimeout"]
        if int(visible) < _TIMEOUTS * timeout:
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.VISIBILITY_TOO_SHORT,
                resource=queue.physical_id,
                problem=f"Its visibility timeout is {visible} s, and the timeout of {name}"
                f" {timeout} s.",
                effect="Messages come again while they are worked on, and so reach the dead"
                " letters without having failed.",
                remedy=aws(
                    *("sqs", "set-queue-attributes", "--queue-url", queue.physical_id),
                    *("--attributes", f"VisibilityTimeout={_TIMEOUTS * timeout}"),
                ),
            )

    def _stream(self, mapping: Resource) -> Iterator[Finding]:
        """Whether it is the one that the table writes to."""
        actual = self.lambda_.get_event_source_mapping(UUID=mapping.physical_id)
        table_arn, is_stream, _ = actual["EventSourceArn"].partition("/stream/")
        if not is_stream:
            return
        name = table_arn.rpartition("/")[2]
        table = self.dynamodb.describe_table(TableName=name)["Table"]
        if table.get("LatestStreamArn") != actual["EventSourceArn"]:
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.MAPPING_OF_OLD_STREAM,
                resource=mapping.properties["FunctionName"],
                problem=f"It reads a stream that {name} had before: {actual['EventSourceArn']}",
                effect="Changes of records are neither counted nor announced.",
                remedy="Delete its event source mapping and create it again as the stack's"
                f" template says, for {table.get('LatestStreamArn')}.",
            )


def _differing(expected: Resource, actual: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What is to be said of a variable, by its name."""
    for name, value in expected.environment.items():
        if value is None or actual.get(name) == value:
            continue
        if name in _UNTOLD:
            yield name, f"{name} differs"
        elif name not in actual:
            yield name, f"{name} is missing, the stack has {value[:_LONGEST_VALUE]}"
        else:
            shown = actual[name][:_LONGEST_VALUE]
            yield name, f"{name} is {shown}, the stack has {value[:_LONGEST_VALUE]}"
