"""The command line interface, `inference-results`.

`app` builds the Typer app, `commands` has one module per command group, and the other modules are
shared by the commands.
"""

import sys


def main() -> None:
    try:
        from inference_results.cli import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("inference-results needs an extra: pip install 'async-inference-results[cli]'")
    app.main()
