"""Remedies that are AWS CLI commands."""

import shlex


def aws_command(*arguments: str) -> str:
    """Format a remedy that runs `aws` with these arguments."""
    return f"Run: {shlex.join(['aws', *arguments])}"
