"""Run `inference-results dead-letters`."""

from typer.testing import CliRunner, Result

from inference_results.cli.app import app


def run_command(*words: str, **options) -> Result:
    """Run a subcommand such as `list`, on the stack `InferenceResults`."""
    command, *others = words
    arguments = ["dead-letters", command, *others, "--stack", "InferenceResults"]
    return CliRunner().invoke(app, arguments, **options)
