"""Commands of AWS's own tool that repair something, ready to be run."""

import shlex


def aws(*words: str) -> str:
    return f"Run: {shlex.join(['aws', *words])}"
