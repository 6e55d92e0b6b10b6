import sys

import pytest


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the commands take all streams for terminals."""
    for name, module in list(sys.modules.items()):
        if name.startswith("inference_results.cli.") and hasattr(module, "is_terminal"):
            monkeypatch.setattr(module, "is_terminal", lambda stream: True)
