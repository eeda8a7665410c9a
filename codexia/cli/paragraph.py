"""Text for people, in lines that fit their terminal."""

from __future__ import annotations

import shutil
import textwrap
from typing import Final

WIDEST_COLUMNS: Final = 88
NARROWEST_COLUMNS: Final = 24


def lines_of(text: str, indent: int = 0) -> list[str]:
    """Return a text in lines that leave room for an indent. No word or address is cut."""
    columns = min(shutil.get_terminal_size().columns, WIDEST_COLUMNS) - indent
    return textwrap.wrap(
        text, max(columns, NARROWEST_COLUMNS), break_long_words=False, break_on_hyphens=False
    )


def paragraph(text: str) -> str:
    """Return a text as a paragraph."""
    return "\n".join(lines_of(text))
