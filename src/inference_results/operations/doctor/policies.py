"""Policies of topics and queues, compared with what the stack's template says."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference_results.operations.doctor.finding import Finding, Severity, Symptom


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWatch:
    """Whose policy it is; `refused` is the effect of a missing Allow, `open` of a missing Deny."""

    symptom: Symptom
    resource: str
    refused: str
    open: str
    remedy: str

    def findings(self, expected: Mapping[str, Any], actual: str | None) -> Iterator[Finding]:
        """`expected` is the template's document, `actual` the text that AWS has."""
        wanted = {_canonical(each): each for each in expected["Statement"] if _is_known(each)}
        there = {_canonical(each): each for each in _statements(actual)}
        for key in wanted.keys() - there.keys():
            effect = self.refused if wanted[key]["Effect"] == "Allow" else self.open
            yield self._finding(Severity.ERROR, f"Its policy lacks {key}", effect, self.remedy)
        if not _is_known(expected["Statement"]):
            return  # What is beyond those that are known may be one that is not.
        for key in there.keys() - wanted.keys():
            yield self._finding(
                Severity.WARNING,
                f"Its policy has, beyond the stack's: {key}",
                "Somebody added it: it may let others in, or keep the notifications out.",
                f"Take it out unless it is meant. {self.remedy}",
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


def document(expected: Mapping[str, Any]) -> str | None:
    """As text, for AWS; None if not all of it is known."""
    return json.dumps(expected) if _is_known(expected) else None


def _statements(policy: str | None) -> list[Any]:
    statements: Any = json.loads(policy)["Statement"] if policy else []
    return statements if isinstance(statements, list) else [statements]


def _canonical(statement: Mapping[str, Any]) -> str:
    """The same text for statements that mean the same; their names mean nothing."""
    meaning = {name: each for name, each in statement.items() if name != "Sid"}
    return json.dumps(_plain(meaning), sort_keys=True)


def _plain(value: Any) -> Any:
    match value:
        case {"AWS": "*"}:
            return "*"
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case [only]:
            return _plain(only)
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
