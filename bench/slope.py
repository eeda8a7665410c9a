"""How fast something grows, by least squares, and how sure that is."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOWS = 20
"""Means of so many windows are fitted: memory moves in steps, so neighbours in time say the same."""

STUDENT_T = 2.101
"""Of 95 % with 18 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth in a second.

    Attributes:
        value: the best estimate.
        margin: half of its interval of 95 %.
    """

    value: float
    margin: float

    @classmethod
    def of(cls, points: Sequence[tuple[float, float]]) -> Self:
        """Return the slope of values over seconds, in equal steps of time.

        Raises:
            ValueError: there are fewer points than windows.
        """
        if len(points) < WINDOWS:
            raise ValueError(f"{len(points)} points, at least {WINDOWS} are needed")
        edges = [len(points) * number // WINDOWS for number in range(WINDOWS + 1)]
        windows = [points[start:end] for start, end in pairwise(edges)]
        times = [statistics.fmean(at for at, _ in window) for window in windows]
        values = [statistics.fmean(value for _, value in window) for window in windows]
        slope, start = statistics.linear_regression(times, values)
        middle = statistics.fmean(times)
        spread = sum((at - middle) ** 2 for at in times)
        errors = sum(
            (value - start - slope * at) ** 2 for at, value in zip(times, values, strict=True)
        )
        return cls(slope, STUDENT_T * math.sqrt(errors / (WINDOWS - 2) / spread))
