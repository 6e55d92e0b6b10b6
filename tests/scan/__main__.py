"""Scans the stacks with checkov and cdk-nag's Serverless and NIST 800-53 packs.

Many of their rules are optional. accepted.yaml lists the accepted findings with reasons. The scan
fails for a finding that is not listed, and for a listed one that no longer occurs.

`make scan` runs this as `python -m tests.scan`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import cx_api
from cdk_nag import NIST80053R5Checks, ServerlessChecks

from infra.app import add_stacks
from local.environment import host_environment
from tests.scan.accepted import SCANNED, Finding, differences, read_accepted
from tests.support.synthesis import ROOT, new_app

_HERE = Path(__file__).parent


def main() -> int:
    assemblies: dict[str, cx_api.CloudAssembly] = {}
    found: list[Finding] = []
    for variant in SCANNED:
        app = new_app(variant)
        add_stacks(app)
        assemblies[variant] = app.synth()
        found += _nag(variant, app)
    found += _checkov(assemblies)
    differing = list(differences(found, read_accepted(_HERE / "accepted.yaml")))
    sys.stdout.writelines(f"{each}\n" for each in differing)
    sys.stdout.write(f"{len(set(found))} findings in {len(SCANNED)} variants\n")
    if differing:
        sys.stdout.write(
            "Fix new findings, or accept them with a reason in tests/scan/accepted.yaml.\n"
        )
    return 1 if differing else 0


def _nag(variant: str, app: cdk.App) -> Iterator[Finding]:
    for pack in (ServerlessChecks(app), NIST80053R5Checks(app)):
        for violation in pack.validate_scope(app).violations:
            for resource in violation.violating_resources:
                assert resource.construct_path is not None
                yield Finding(variant, violation.rule_name, resource.construct_path)


def _checkov(assemblies: dict[str, cx_api.CloudAssembly]) -> Iterator[Finding]:
    stacks = {
        stack.template_full_path: (variant, stack)
        for variant, assembly in assemblies.items()
        for stack in assembly.stacks
    }
    python = ROOT / ".venv-checkov/bin/python"
    failed = subprocess.run(
        [python, _HERE / "failed_checks.py", *stacks],
        env=host_environment(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    paths = {template: _paths(stack) for template, (_, stack) in stacks.items()}
    for rule, template, logical_id in json.loads(failed):
        yield Finding(stacks[template][0], rule, paths[template][logical_id])


def _paths(stack: cx_api.CloudFormationStackArtifact) -> dict[str, str]:
    """Return construct paths by logical id."""
    entries = stack.find_metadata_by_type("aws:cdk:logicalId")
    return {str(each.data): each.path.removeprefix("/") for each in entries}


if __name__ == "__main__":
    sys.exit(main())
