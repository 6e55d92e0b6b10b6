"""Accepted findings, and how a scan differs from them."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

SCANNED = (
    "default",
    "customer keys",
    "endpoint",
    "observed",
    "watched endpoints",
    "email, boundary, older runtime",
)
"""The variants that together contain every kind of resource and property."""


class Finding(NamedTuple):
    variant: str
    rule: str
    resource: str
    """Construct path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Rules whose findings on resources are accepted, with the reason.

    They are not accepted in the variant `settled_by`, whose settings fix them.
    """

    rules: list[str]
    reason: str
    resources: list[str]
    settled_by: str | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError(f"{self.rules}: expected a reason")
        if self.settled_by not in (None, *SCANNED):
            raise ValueError(f"settled_by: expected one of {SCANNED}, got {self.settled_by!r}")

    def accepts(self, finding: Finding) -> bool:
        return (
            finding.rule in self.rules
            and finding.resource in self.resources
            and finding.variant != self.settled_by
        )


def read_accepted(file: Path) -> list[Accepted]:
    return [Accepted(**each) for each in yaml.safe_load(file.read_text())]


def differences(found: Collection[Finding], accepted: Iterable[Accepted]) -> Iterator[str]:
    """Describe findings that are not accepted, and accepted findings that no longer occur."""
    accepted = list(accepted)
    for finding in sorted(set(found)):
        if not any(each.accepts(finding) for each in accepted):
            yield f"new, in {finding.variant!r}: {finding.rule} {finding.resource}"
    seen = {(finding.rule, finding.resource) for finding in found}
    for each in accepted:
        for rule in each.rules:
            for resource in each.resources:
                if (rule, resource) not in seen:
                    yield f"gone: {rule} {resource}"
