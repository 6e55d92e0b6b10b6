"""Which findings were reviewed and accepted, and how a scan differs from them."""

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
    "e-mail, boundary, older runtime",
)
"""The variants that have a kind of resource, or a property, which the others lack."""


class Finding(NamedTuple):
    variant: str
    rule: str
    resource: str
    """The path of its construct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Rules that may find fault with resources, and why.

    In the variant that `settled_by` names, whose settings are the remedy, they may not.
    """

    rules: list[str]
    reason: str
    resources: list[str]
    settled_by: str | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError(f"no reason is given for {self.rules}")
        if self.settled_by not in (None, *SCANNED):
            raise ValueError(f"{self.settled_by} is not scanned")

    def accepts(self, finding: Finding) -> bool:
        return (
            finding.rule in self.rules
            and finding.resource in self.resources
            and finding.variant != self.settled_by
        )


def read_accepted(file: Path) -> list[Accepted]:
    return [Accepted(**each) for each in yaml.safe_load(file.read_text())]


def differences(found: Collection[Finding], accepted: Iterable[Accepted]) -> Iterator[str]:
    """What was found and not accepted, and what was accepted and is found no more."""
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
