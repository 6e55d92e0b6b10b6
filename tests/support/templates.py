"""Checks every documented variant with cdk-nag, the CDK, cfn-lint and cloudformation-validate.

Also compares the templates with the reviewed ones in infra/templates.

`make check` runs this as `python -m tests.support.templates`.
"""

import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from cloudformation_validate import Diagnostic, RegoEngine, Severity

from infra.app import add_stacks
from tests.support.reviewed import REVIEWED, changes, reviewed_file
from tests.support.synthesis import ROOT, VARIANTS, new_app

_ACCEPTED = {
    "W3005": "the CDK writes a function's dependency on its role twice",
    "W9002": "the variant tests the ARN of an existing topic",
    "W9013": "the variant's settings contain ARNs with an account",
}

_UNREVIEWED = """
The infrastructure differs from infra/templates, as shown above. `replace`, `destroy` and `orphan`
of a resource that holds data lose its data: see docs/operations/deploying.md.
If all changes are intended, run `make template` and commit the result.
"""


def main() -> int:
    engine = RegoEngine()
    findings: list[str] = []
    templates: list[Path] = []
    unreviewed = ""
    for variant in VARIANTS:
        app = new_app(variant)
        add_stacks(app)
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        assembly = app.synth()  # raises on a finding of cdk-nag or of CDK's validation
        if reviewed := REVIEWED.get(variant):
            unreviewed += changes(assembly, reviewed, reviewed_file(reviewed))
        for stack in assembly.stacks:
            template = Path(stack.template_full_path)
            templates.append(template)
            diagnostics = engine.validate_template(str(template)).diagnostics
            findings += [
                f"{variant}: {template.name}: {each.rule_id} {each.message}"
                for each in diagnostics
                if _is_relevant(each)
            ]
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    lint = [ROOT / ".venv/bin/cfn-lint", "--ignore-checks", *_ACCEPTED, "--", *templates]
    linted = subprocess.run(lint, check=False)
    sys.stdout.write(f"{len(templates)} templates of {len(VARIANTS)} variants checked\n")
    if unreviewed:
        sys.stdout.write(unreviewed + _UNREVIEWED)
    return 1 if findings or linted.returncode or unreviewed else 0


def _is_relevant(diagnostic: Diagnostic) -> bool:
    is_problem = diagnostic.severity not in (Severity.INFO, Severity.DEBUG)
    return is_problem and diagnostic.rule_id not in _ACCEPTED


if __name__ == "__main__":
    sys.exit(main())
