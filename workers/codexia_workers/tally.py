"""What one worker counts."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from codexia.metrics import OTHER, Series

if TYPE_CHECKING:
    from codexia.metrics import Family

MAX_SERIES: Final = 2000
"""Of all families. Keys and models are few, but an owner may rename them for ever."""


class _Cell:
    """The count of one series."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.total = 0.0
        self.counts = [0] * (buckets + 1) if buckets else []


class Tally:
    """Counters and histograms."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Family, tuple[str, ...]], _Cell] = {}

    def count(self, family: Family, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        self._cell(family, labels).total += by

    def observe(self, family: Family, seconds: float, *labels: str) -> None:
        """Put one more value into a histogram."""
        cell = self._cell(family, labels)
        cell.total += seconds
        cell.counts[bisect_left(family.buckets, seconds)] += 1

    def series(self) -> tuple[Series, ...]:
        """Return all counts."""
        return tuple(
            Series(family=family.name, labels=labels, total=cell.total, counts=tuple(cell.counts))
            for (family, labels), cell in self._cells.items()
        )

    def _cell(self, family: Family, labels: tuple[str, ...]) -> _Cell:
        cell = self._cells.get((family, labels))
        if cell is None:
            if len(self._cells) >= MAX_SERIES:
                labels = (OTHER,) * len(labels)
            cell = self._cells.setdefault((family, labels), _Cell(len(family.buckets)))
        return cell
