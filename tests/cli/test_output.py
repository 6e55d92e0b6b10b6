"""The command `output`."""

from io import BytesIO

import pytest

from inference_results.cli.output_files import _CompleteWriter
from tests.cli.fake_client import BINARY


@pytest.mark.parametrize("target", [[], ["--to", "-"]])
def test_output_is_written_byte_for_byte(run, client, target):
    client.content = [b"a\r\n", BINARY]
    assert run("output", "one", *target).stdout_bytes == b"a\r\n" + BINARY


@pytest.mark.parametrize("content", [[BINARY], [b"\x1b[2J"], [b"text", b"\x00"], ["\x9b".encode()]])
def test_binary_output_is_not_written_to_a_terminal(run, client, terminal, content):
    client.content = content
    result = run("output", "one")
    assert result.exit_code == 2
    assert content[-1] not in result.stdout_bytes
    assert "--force" in result.stderr


def test_force_writes_binary_output_to_a_terminal(run, client, terminal):
    client.content = [BINARY]
    assert run("output", "one", "--force").stdout_bytes == BINARY


def test_text_is_written_to_a_terminal_when_chunks_split_a_character(run, client, terminal):
    client.content = [b"gr\xc3", b"\xbcn\r\n\t"]
    result = run("output", "one")
    assert (result.exit_code, result.stdout_bytes) == (0, b"gr\xc3\xbcn\r\n\t")


def test_output_to_a_file_prints_nothing(run, client, tmp_path):
    client.content = [BINARY]
    result = run("--endpoint", "speech", "output", "one", "--to", str(tmp_path / "out"))
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "out").read_bytes() == BINARY
    assert client.calls[0] == ("output", "one", "speech")


def test_output_is_complete_on_a_stream_with_partial_writes():
    class Unbuffered(BytesIO):
        def write(self, data):
            return super().write(data[:3])

    stream = Unbuffered()
    _CompleteWriter(stream).write(b"0123456789")
    assert stream.getvalue() == b"0123456789"


def test_a_large_output_shows_a_progress_bar_on_stderr(run, client, terminal, tmp_path):
    client.content = [b"x" * 1024 * 1024] * 2
    result = run("output", "one", "--to", str(tmp_path / "out"))
    assert "saving" in result.stderr
    assert result.stdout == ""


def test_a_small_output_shows_no_progress_bar(run, client, terminal, tmp_path):
    client.content = [b"x"]
    assert "saving" not in run("output", "one", "--to", str(tmp_path / "out")).stderr


def test_a_missing_target_folder_is_reported_in_one_line(run, client, tmp_path):
    result = run("output", "one", "--to", str(tmp_path / "no" / "out"))
    assert result.exit_code == 5
    assert result.stderr == f"{tmp_path}/no/out: No such file or directory\n"
