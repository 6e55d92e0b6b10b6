"""Tables and their indexes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.operations.doctor.aws_commands import aws
from inference_results.operations.doctor.deployment import TABLE, Deployment, Resource
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom

_INDEXES: Final = "GlobalSecondaryIndexes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    deployment: Deployment
    dynamodb: Any

    def checks(self) -> Iterator[Check]:
        for each in self.deployment.of(TABLE):
            for look in (self._table, self._expiry, self._backups):
                yield Check(
                    resource=each.physical_id,
                    run=partial(look, each),
                    if_gone="Its records are gone, and nothing new is recorded.",
                )

    def _table(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        actual = self.dynamodb.describe_table(TableName=name)["Table"]
        if actual["TableStatus"] not in ("ACTIVE", "CREATING", "UPDATING"):
            yield _finding(
                Symptom.TABLE_STATE,
                name,
                f"It is {actual['TableStatus']}.",
                "Nothing can be recorded or asked.",
                "If its key is why, enable the key again within seven days: then DynamoDB"
                " archives the table.",
            )
        yield from _index_findings(expected, actual)
        stream = actual.get("StreamSpecification", {})
        if "StreamSpecification" in expected.properties and not stream.get("StreamEnabled"):
            view = expected.properties["StreamSpecification"]["StreamViewType"]
            yield _finding(
                Symptom.TABLE_STREAM,
                name,
                "Its stream is off.",
                "Changes of records are neither counted nor announced.",
                aws(
                    *("dynamodb", "update-table", "--table-name", name),
                    *("--stream-specification", f"StreamEnabled=true,StreamViewType={view}"),
                )
                + " Then it is another stream: run this again.",
            )
        if _replica(expected).get("DeletionProtectionEnabled") and not actual.get(
            "DeletionProtectionEnabled"
        ):
            protect = "--deletion-protection-enabled"
            yield _finding(
                Symptom.TABLE_UNPROTECTED,
                name,
                "Its deletion protection is off.",
                "One call can delete all records.",
                aws("dynamodb", "update-table", "--table-name", name, protect),
                Severity.WARNING,
            )

    def _expiry(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        attribute = expected.properties.get("TimeToLiveSpecification", {}).get("AttributeName")
        if attribute is None:
            return
        actual = self.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        is_on = actual["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
        if not is_on or actual.get("AttributeName") != attribute:
            yield _finding(
                Symptom.TABLE_EXPIRY,
                name,
                f"Its time to live is {actual['TimeToLiveStatus']}"
                + (f", on {actual['AttributeName']}." if "AttributeName" in actual else "."),
                "Records are kept, and paid for, beyond their retention.",
                aws(
                    *("dynamodb", "update-time-to-live", "--table-name", name),
                    *("--time-to-live-specification", f"Enabled=true,AttributeName={attribute}"),
                ),
                Severity.WARNING,
            )

    def _backups(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        wanted = _replica(expected).get("PointInTimeRecoverySpecification", {})
        if not wanted.get("PointInTimeRecoveryEnabled"):
            return
        answer = self.dynamodb.describe_continuous_backups(TableName=name)
        backups = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        if backups.get("PointInTimeRecoveryStatus") != "ENABLED":
            yield _finding(
                Symptom.TABLE_BACKUPS,
                name,
                "Its point-in-time recovery is off.",
                "What is deleted or overwritten by mistake cannot be restored.",
                aws(
                    *("dynamodb", "update-continuous-backups", "--table-name", name),
                    "--point-in-time-recovery-specification",
                    "PointInTimeRecoveryEnabled=true",
                ),
                Severity.WARNING,
            )


def _index_findings(expected: Resource, actual: Mapping[str, Any]) -> Iterator[Finding]:
    there = {each["IndexName"]: each for each in actual.get(_INDEXES, [])}
    for index in (each["IndexName"] for each in expected.properties.get(_INDEXES, [])):
        status = there[index].get("IndexStatus", "ACTIVE") if index in there else "missing"
        if status not in ("ACTIVE", "UPDATING"):
            yield _finding(
                Symptom.TABLE_INDEX,
                expected.physical_id,
                f"Its index {index} is {status}.",
                "Lists are refused or lack records; without by-status nothing overdue is ended.",
                "If it is CREATING, wait. Else create it again as the stack's template says.",
            )


def _replica(expected: Resource) -> Mapping[str, Any]:
    """The template's part on the table of this region: the only one."""
    replicas = expected.properties.get("Replicas", [])
    return replicas[0] if replicas else {}


def _finding(
    symptom: Symptom,
    resource: str,
    problem: str,
    effect: str,
    remedy: str,
    severity: Severity = Severity.ERROR,
) -> Finding:
    return Finding(
        severity=severity,
        symptom=symptom,
        resource=resource,
        problem=problem,
        effect=effect,
        remedy=remedy,
    )
