"""Every documented variant under all checkers: cdk-nag, CDK's validation, cfn-lint, and AWS's own.

Then, that nothing differs from the reviewed templates.

Run by `make check`: `python -m tests.templates`.
"""

import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from cloudformation_validate import Diagnostic, RegoEngine, Severity

from infra.app import add_stacks
from tests.reviewed import REVIEWED, changes, reviewed_file
from tests.synthesis import ROOT, VARIANTS, new_app

_ACCEPTED = {
    "W3005": "CDK writes a function's dependency on its role twice over",
    "W9002": "the ARN of an existing topic is what the variant is about",
    "W9013": "the account in an ARN is the one that the variant's settings name",
}

_UNREVIEWED = """
The infrastructure differs from infra/templates, as shown. `replace`, `destroy` and `orphan` of what
holds data lose it, or part with it: see docs/operations/deploying.md. If all of it is meant: make template
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
                if _counts(each)
            ]
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    lint = [ROOT / ".venv/bin/cfn-lint", "--ignore-checks", *_ACCEPTED, "--", *templates]
    linted = subprocess.run(lint, check=False)
    sys.stdout.write(f"{len(templates)} templates of {len(VARIANTS)} variants checked\n")
    if unreviewed:
        sys.stdout.write(unreviewed + _UNREVIEWED)
    return 1 if findings or linted.returncode or unreviewed else 0


def _counts(diagnostic: Diagnostic) -> bool:
    notable = diagnostic.severity not in (Severity.INFO, Severity.DEBUG)
    return notable and diagnostic.rule_id not in _ACCEPTED


if __name__ == "__main__":
    sys.exit(main())
