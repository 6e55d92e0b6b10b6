"""Ids are data: they contain no markup and cannot control the terminal."""

import json

import pytest

from tests.cli.fake_client import record

ODD = "[red]x[/] :smile: \x1b[2J\t\u202e" + "-" * 100


def test_control_characters_of_an_id_are_escaped(run, client):
    client.records = {ODD: record(ODD)}
    client.lists = [[record(ODD)]]
    escaped = r"[red]x[/] :smile: \x1b[2J\t\u202e" + "-" * 100
    assert f"inference_id\t{escaped}\n" in run("get", ODD).stdout
    assert escaped in run("wait", ODD).stdout
    assert escaped in run("list").stdout


@pytest.mark.parametrize("command", [["get", ODD], ["wait", ODD], ["list"]])
def test_on_a_terminal_an_id_is_printed_whole_and_without_markup(run, client, terminal, command):
    client.records = {ODD: record(ODD)}
    client.lists = [[record(ODD)]]
    stdout = run(*command).stdout
    assert "[red]x[/] :smile:" in stdout
    assert "\x1b[2J" not in stdout
    assert stdout.count("-") >= 100
    assert "…" not in stdout


@pytest.mark.parametrize("command", [["wait", ODD], ["list"]])
def test_on_a_terminal_a_long_id_stays_on_one_line(run, client, terminal, command):
    client.records = {ODD: record(ODD)}
    client.lists = [[record(ODD)]]
    assert "-" * 100 in run(*command).stdout


def test_an_error_about_an_odd_id_is_one_line_without_markup(run, terminal):
    stderr = run("get", "[bold]x[/bold]\n\x1b[2J").stderr
    assert r"[bold]x[/bold]\n\x1b[2J: no record" in stderr
    assert "\x1b[2J" not in stderr


@pytest.mark.parametrize("command", [["get", "ä\x7f"], ["wait", "ä\x7f"], ["list"]])
def test_json_is_ascii_and_preserves_the_id(run, client, command):
    client.records = {"ä\x7f": record("ä\x7f")}
    client.lists = [[record("ä\x7f")]]
    stdout = run(*command, "--json").stdout
    assert json.loads(stdout)["inference_id"] == "ä\x7f"
    assert stdout.isascii()
