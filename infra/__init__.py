"""The infrastructure. Importing it makes the names shared with the functions importable too."""

import sys
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parent.parent / "functions"

if str(FUNCTIONS) not in sys.path:
    sys.path.append(str(FUNCTIONS))
