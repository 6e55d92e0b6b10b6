import pytest


@pytest.mark.parametrize(
    "command",
    [
        *("submit", "get", "wait", "list", "output", "summary", "backfill"),
        *("attach", "detach", "doctor"),
        *("dead-letters list", "dead-letters show", "dead-letters redrive", "dead-letters delete"),
    ],
)
def test_the_help_of_every_command_has_examples(run, command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"  inference-results {command} " in result.stdout


def test_the_help_of_list_says_when_failures_appear(run):
    assert "only with --status" in " ".join(run("list", "--help").stdout.split())


def test_the_help_lists_the_exit_codes(run):
    stdout = run("--help").stdout
    for row in ("0  success", "1  an inference", "3  no record", "4  timeout", "130  interrupted"):
        assert row in stdout


def test_a_token_in_the_environment_is_not_in_the_help(run):
    assert "secret" not in run("--help", env={"INFERENCE_RESULTS_TOKEN": "secret"}).stdout
