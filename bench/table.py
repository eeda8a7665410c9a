"""Tables as Markdown."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NARROWEST = 3
"""Markdown's rules below the heads have three characters at least."""


def spread(values: Sequence[float]) -> str:
    """Return the median with the smallest and the largest value."""
    middle, low, high = statistics.median(values), min(values), max(values)
    digits = 2 if middle < 10 else 1 if middle < 100 else 0
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def render(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return one table; the first column is text, the others are numbers."""
    lines = [columns, *rows]
    widths = [
        max(NARROWEST, *(len(line[place]) for line in lines)) for place in range(len(columns))
    ]
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    rows_of_text: list[str] = []
    for line in [columns, rule, *lines[1:]]:
        first = line[0].ljust(widths[0])
        others = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        rows_of_text.append(f"| {' | '.join([first, *others])} |")
    return "\n".join(rows_of_text)


def show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print one table."""
    print(render(columns, rows))
