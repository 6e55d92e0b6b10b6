"""Fill the generated sections of docs/performance.md. The text between them is written by hand."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "performance.md"

_SECTION: Final = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: str, texts: Mapping[str, str]) -> str:
    """Replace the text of each section. Raises ValueError unless the page has each exactly once."""
    marked = sorted(match[2] for match in _SECTION.finditer(page))
    if marked != sorted(texts):
        raise ValueError(
            f"{PAGE.name}: expected the sections {', '.join(sorted(texts))}; "
            f"got {', '.join(marked) or 'none'}"
        )
    return _SECTION.sub(lambda it: f"{it[1]}\n{texts[it[2]]}\n\n{it[3]}", page)
