"""The command `inference-results`: what became of inferences, from a shell.

`commands` has the commands and their help, `exits` what ends them, `connection` whom they ask,
`views` what they show, `following` the list without an end, `saving` the outputs.
"""

from inference_results.client.cli.commands import app, main

__all__ = ["app", "main"]
