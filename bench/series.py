"""One number of one lane over the rounds of a run."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bench.numbers import NUMBERS

if TYPE_CHECKING:
    from bench.results import Result


@dataclass(frozen=True, slots=True)
class Series:
    """Values in the order of the rounds; at least one."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, result: Result, scenario: str, lane: str, number: str) -> Self | None:
        """Return a number of a lane; None where it has none."""
        rounds = result.rounds(scenario)
        values = [
            value
            for sample in result.of(scenario)
            if sample.lane == lane
            and (value := NUMBERS[number].value(sample, rounds[sample.round])) is not None
        ]
        return cls(tuple(values)) if values else None

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """From the smallest to the largest value."""
        return max(self.values) - min(self.values)

    def __str__(self) -> str:
        middle, low, high = self.median, min(self.values), max(self.values)
        digits = _digits(max(abs(low), abs(high)))
        if len(self.values) == 1:
            return f"{middle:,.{digits}f}"
        return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def lanes_of(result: Result, scenario: str) -> list[str]:
    """Return the lanes of a scenario in the order of their first measurement."""
    return list(dict.fromkeys(sample.lane for sample in result.of(scenario)))


def _digits(largest: float) -> int:
    return 2 if largest < 10 else 1 if largest < 100 else 0
