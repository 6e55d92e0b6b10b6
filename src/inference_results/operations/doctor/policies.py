"""Compare the policies of topics and queues with the stack's template."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference_results.operations.doctor.finding import Finding, Severity, Symptom


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyComparison:
    """Compare the policy of one resource.

    `blocked` is the effect of a missing Allow statement, `exposed` that of a missing Deny.
    """

    symptom: Symptom
    resource: str
    blocked: str
    exposed: str
    remedy: str

    def findings(self, expected: Mapping[str, Any], actual: str | None) -> Iterator[Finding]:
        """Compare the template's policy document with the actual one, which is JSON."""
        wanted = {_canonical(each): each for each in expected["Statement"] if _is_known(each)}
        present = {_canonical(each): each for each in _statements(actual)}
        for key in wanted.keys() - present.keys():
            effect = self.blocked if wanted[key]["Effect"] == "Allow" else self.exposed
            yield self._finding(
                Severity.ERROR, f"Its policy lacks the statement {key}", effect, self.remedy
            )
        if not _is_known(expected["Statement"]):
            return  # An additional statement can be one that the template only determines in part.
        for key in present.keys() - wanted.keys():
            yield self._finding(
                Severity.WARNING,
                f"Its policy has a statement that the stack's template does not have: {key}",
                "It may give others access, or block notifications.",
                f"Remove it unless it is intended. {self.remedy}",
            )

    def _finding(self, severity: Severity, problem: str, effect: str, remedy: str) -> Finding:
        return Finding(
            severity=severity,
            symptom=self.symptom,
            resource=self.resource,
            problem=problem,
            effect=effect,
            remedy=remedy,
        )


def policy_text(expected: Mapping[str, Any]) -> str | None:
    """Return the template's policy document as JSON, or None if a part of it is not known."""
    return json.dumps(expected) if _is_known(expected) else None


def _statements(policy: str | None) -> list[Any]:
    statements: Any = json.loads(policy)["Statement"] if policy else []
    return statements if isinstance(statements, list) else [statements]


def _canonical(statement: Mapping[str, Any]) -> str:
    """Return the same text for equivalent statements, whatever their Sid is."""
    return json.dumps(
        _simplify({name: each for name, each in statement.items() if name != "Sid"}),
        sort_keys=True,
    )


def _simplify(value: Any) -> Any:
    match value:
        case {"AWS": "*"}:
            return "*"
        case Mapping():
            return {name: _simplify(each) for name, each in value.items()}
        case [only]:
            return _simplify(only)
        case list():
            return sorted(map(str, value))
    return value


def _is_known(value: Any) -> bool:
    match value:
        case Mapping():
            return all(map(_is_known, value.values()))
        case list():
            return all(map(_is_known, value))
    return value is not None
