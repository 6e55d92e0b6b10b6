"""Check tables and their indexes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.operations.doctor.aws_cli import aws_command
from inference_results.operations.doctor.deployment import TABLE, Deployment, Resource
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom

_INDEXES: Final = "GlobalSecondaryIndexes"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChecks:
    """Check the tables of the stack."""

    deployment: Deployment
    dynamodb: Any

    def checks(self) -> Iterator[Check]:
        for table in self.deployment.of_type(TABLE):
            for check in (self._table, self._ttl, self._backups):
                yield Check(
                    resource=table.physical_id,
                    run=partial(check, table),
                    effect_if_missing="Its records are lost, and new ones cannot be written.",
                )

    def _table(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        actual = self.dynamodb.describe_table(TableName=name)["Table"]
        if actual["TableStatus"] not in ("ACTIVE", "CREATING", "UPDATING"):
            yield _finding(
                Symptom.TABLE_STATE,
                name,
                f"The table is {actual['TableStatus']}.",
                "Nothing can be recorded or queried.",
                "If the cause is its key, enable the key again within seven days: after that"
                " DynamoDB archives the table.",
            )
        yield from _index_findings(expected, actual)
        stream = actual.get("StreamSpecification", {})
        if "StreamSpecification" in expected.properties and not stream.get("StreamEnabled"):
            view_type = expected.properties["StreamSpecification"]["StreamViewType"]
            specification = f"StreamEnabled=true,StreamViewType={view_type}"
            yield _finding(
                Symptom.TABLE_STREAM,
                name,
                "Its stream is off.",
                "Changes of records are neither counted nor published.",
                aws_command(
                    *("dynamodb", "update-table", "--table-name", name),
                    *("--stream-specification", specification),
                )
                + " This creates a new stream: run doctor again.",
            )
        if _replica(expected).get("DeletionProtectionEnabled") and not actual.get(
            "DeletionProtectionEnabled"
        ):
            protect = "--deletion-protection-enabled"
            yield _finding(
                Symptom.TABLE_UNPROTECTED,
                name,
                "Its deletion protection is off.",
                "A single call can delete all records.",
                aws_command("dynamodb", "update-table", "--table-name", name, protect),
                Severity.WARNING,
            )

    def _ttl(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        attribute = expected.properties.get("TimeToLiveSpecification", {}).get("AttributeName")
        if attribute is None:
            return
        actual = self.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        is_on = actual["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
        if not is_on or actual.get("AttributeName") != attribute:
            yield _finding(
                Symptom.TABLE_TTL,
                name,
                f"Its TTL is {actual['TimeToLiveStatus']}"
                + (f", on {actual['AttributeName']}." if "AttributeName" in actual else "."),
                "Records are kept beyond their retention, and you pay for their storage.",
                aws_command(
                    *("dynamodb", "update-time-to-live", "--table-name", name),
                    *("--time-to-live-specification", f"Enabled=true,AttributeName={attribute}"),
                ),
                Severity.WARNING,
            )

    def _backups(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        specification = _replica(expected).get("PointInTimeRecoverySpecification", {})
        if not specification.get("PointInTimeRecoveryEnabled"):
            return
        response = self.dynamodb.describe_continuous_backups(TableName=name)
        backups = response["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        if backups.get("PointInTimeRecoveryStatus") != "ENABLED":
            yield _finding(
                Symptom.TABLE_BACKUPS,
                name,
                "Its point-in-time recovery is off.",
                "Items that are deleted or overwritten by mistake cannot be restored.",
                aws_command(
                    *("dynamodb", "update-continuous-backups", "--table-name", name),
                    "--point-in-time-recovery-specification",
                    "PointInTimeRecoveryEnabled=true",
                ),
                Severity.WARNING,
            )


def _index_findings(expected: Resource, actual: Mapping[str, Any]) -> Iterator[Finding]:
    indexes = {each["IndexName"]: each for each in actual.get(_INDEXES, [])}
    for name in (each["IndexName"] for each in expected.properties.get(_INDEXES, [])):
        status = indexes[name].get("IndexStatus", "ACTIVE") if name in indexes else "missing"
        if status not in ("ACTIVE", "UPDATING"):
            yield _finding(
                Symptom.TABLE_INDEX,
                expected.physical_id,
                f"Its index {name} is {status}.",
                "Lists fail or lack records. Without by-status, overdue records do not end.",
                "If the index is CREATING, wait. Otherwise create it again as the stack's template"
                " describes it.",
            )


def _replica(expected: Resource) -> Mapping[str, Any]:
    """Return the template's settings for the table in this region, its only replica."""
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
