"""A run as tables: one for each scenario, and one of what was to be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.numbers import NUMBERS, limits
from bench.series import Series, lanes_of
from bench.table import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.results import Result
    from bench.scenario import Scenario


def scenario_section(result: Result, name: str) -> str:
    """Return the table of one scenario, with what was streamed and what was odd."""
    scenario = result.scenarios[name]
    rounds = len(result.rounds(name))
    made = "" if rounds == 1 else f"; median (smallest to largest) of {rounds} interleaved rounds"
    notes = list(_notes(result, scenario))
    return "\n".join(
        [
            f"{scenario.stands_for}.",
            f"{_capital(scenario.shape())}{made}.",
            "",
            scenario_table(result, name, scenario.columns),
            *(["", *notes] if notes else []),
        ]
    )


def scenario_table(result: Result, name: str, numbers: Sequence[str]) -> str:
    """Return some numbers of every lane of a scenario; a column that has none is left out."""
    lanes = lanes_of(result, name)
    columns = {
        NUMBERS[number].title: [Series.of(result, name, lane, number) for lane in lanes]
        for number in numbers
    }
    kept = {title: cells for title, cells in columns.items() if any(cells)}
    rows = [
        [lane, *(str(cells[place] or "-") for cells in kept.values())]
        for place, lane in enumerate(lanes)
    ]
    return render(["lane", *kept], rows)


def bars_table(result: Result) -> str:
    """Return what was to be reached, and what was, by the lane that is worst at it."""
    rows = [row for scenario in result.scenarios.values() for row in _bar_rows(result, scenario)]
    return render(["what", "wanted", "measured", "by", ""], rows)


def provenance(result: Result) -> str:
    """Return where, when and with what a run was made."""
    circumstances = result.circumstances
    absent = "".join(f"\n{name}: skipped, {why}" for name, why in result.absent.items())
    return f"{circumstances.lines()}{absent}"


def _bar_rows(result: Result, scenario: Scenario) -> Iterator[list[str]]:
    for number, bar in scenario.bars.items():
        more = NUMBERS[number].more_is_better
        series = [
            (series, lane)
            for lane in scenario.lanes
            if lane in {"messages", "chat", "responses"}
            and (series := Series.of(result, scenario.name, lane, number))
        ]
        if not series:
            continue
        pick = min if more else max
        worst, lane = pick(series, key=lambda each: each[0].median)
        reached = worst.median >= bar if more else worst.median <= bar
        what = f"{NUMBERS[number].title} (`{scenario.name}`)"
        wanted = f"{'≥' if more else '≤'} {bar:,g}"
        yield [what, wanted, str(worst), lane, "" if reached else "missed"]


def _notes(result: Result, scenario: Scenario) -> Iterator[str]:
    for lane in lanes_of(result, scenario.name):
        samples = [sample for sample in result.of(scenario.name) if sample.lane == lane]
        found = {
            limit for sample in samples if (limit := limits(sample, unpaced=not scenario.gap_ms))
        }
        if found and scenario.measure == "streams":
            yield f"- {lane}: limited by {', '.join(sorted(found))}"
        noted: dict[str, int] = {}
        for sample in samples:
            for what, count in sample.notes.items():
                noted[what] = noted.get(what, 0) + count
        streams = sum(int(sample.values.get("streams", 0)) for sample in samples)
        for what, count in noted.items():
            yield f"- {lane}: {what}, {count:,} of {streams + _failed(noted):,} streams"


def _failed(noted: dict[str, int]) -> int:
    return sum(count for what, count in noted.items() if what.startswith("failed"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
