"""Prints checkov's findings in templates as JSON: the rule, template and resource of each.

Run it in the separate virtual environment .venv-checkov. It uses checkov's runner, which needs no
network; checkov's command calls its vendor's platform.
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
        raise SystemExit(f"checkov could not parse {report.parsing_errors}")
    findings = [
        (each.check_id, each.file_abs_path, each.resource.split(".")[1])
        for each in report.failed_checks
    ]
    sys.stdout.write(json.dumps(findings))


if __name__ == "__main__":
    main(sys.argv[1:])
