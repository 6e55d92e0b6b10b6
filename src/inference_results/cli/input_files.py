"""Read an input that is named on the command line."""

import sys
from pathlib import Path

from inference_results.cli.exit_codes import UsageError


def read_input(name: str) -> bytes | str:
    """Return the bytes of a file or of standard input (`-`), or an S3 location unchanged.

    Raises UsageError if the file cannot be read.
    """
    if name.startswith("s3://"):
        return name
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error
