"""What checkov finds in templates, as JSON: for each finding its rule, template and resource.

Run in a virtual environment of its own. Uses checkov's runner, not its command: the command is made
to call its vendor's platform, the runner needs no network.
"""

import json
import sys

from checkov.cloudformation.runner import Runner
from checkov.runner_filter import RunnerFilter


def main(templates: list[str]) -> None:
    report = Runner().run(
        root_folder=None,
        files=templates,
        runner_filter=RunnerFilter(framework=["cloudformation"]),
    )
    if report.parsing_errors:
        raise SystemExit(f"checkov cannot read {report.parsing_errors}")
    findings = [
        (each.check_id, each.file_abs_path, each.resource.split(".")[1])
        for each in report.failed_checks
    ]
    sys.stdout.write(json.dumps(findings))


if __name__ == "__main__":
    main(sys.argv[1:])
