"""Inputs, as they are named on a command line."""

import sys
from pathlib import Path

from inference_results.cli.exit_codes import UsageError


def read_input(name: str) -> bytes | str:
    """The bytes of a file, or of the standard input (`-`); a location in S3 as it is.

    Raises UsageError if there is no such file.
    """
    if name.startswith("s3://"):
        return name
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error
