"""The command `inference-results`: submit inferences, and ask what became of them, from a shell.

`commands` has the commands and their help, `options` their options, `exits` what ends them,
`connection` whom they ask, `reading` their inputs, `views` what they show, `following` the list
without an end, `waiting`, `saving` and `backfilling` what takes time, `wiring` what is done to an
endpoint, `doctoring` what is found in a deployment, `dead_letters` with `letter_views` what is done
about what was left over.
"""

import sys


def main() -> None:
    try:
        from inference_results.cli import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("the command needs an extra: pip install 'async-inference-results[cli]'")
    app.main()
