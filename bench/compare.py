"""Two runs side by side: `python -m bench compare BEFORE.json AFTER.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.numbers import NUMBERS
from bench.series import Series, lanes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.results import Result

FEWEST_ROUNDS = 2
"""One alone has no spread."""

COLUMNS = ("scenario", "lane", "number", "before", "after", "after/before", "")


@dataclass(frozen=True, slots=True)
class Change:
    """One number of one lane in both runs."""

    scenario: str
    lane: str
    number: str
    before: Series
    after: Series

    @property
    def ratio(self) -> float | None:
        """After by before, None where that is nothing."""
        return self.after.median / self.before.median if self.before.median else None

    @property
    def verdict(self) -> str:
        """What may be concluded."""
        difference = self.after.median - self.before.median
        if not difference:
            return "same"
        if min(len(self.before.values), len(self.after.values)) < FEWEST_ROUNDS:
            return "too few rounds to say"
        if abs(difference) <= max(self.before.spread, self.after.spread):
            return "spread is larger than the difference"
        return "better" if (difference > 0) == NUMBERS[self.number].more_is_better else "worse"

    def row(self) -> Sequence[str]:
        """Return the cells of its line."""
        ratio = "-" if self.ratio is None else f"{self.ratio:.3f}"
        title = NUMBERS[self.number].title
        return (
            *(self.scenario, self.lane, title, str(self.before), str(self.after), ratio),
            self.verdict,
        )


def changes(before: Result, after: Result) -> Iterator[Change]:
    """Yield every number that both runs have and a table of the later one shows."""
    for name, scenario in after.scenarios.items():
        for lane in lanes_of(after, name):
            for number in scenario.columns:
                was = Series.of(before, name, lane, number)
                now = Series.of(after, name, lane, number)
                if was and now:
                    yield Change(name, lane, number, was, now)


def differing_shapes(before: Result, after: Result) -> list[str]:
    """Return the scenarios that are in both runs but were not the same."""
    return [
        name
        for name, scenario in after.scenarios.items()
        if (was := before.scenarios.get(name)) and was.shape() != scenario.shape()
    ]
