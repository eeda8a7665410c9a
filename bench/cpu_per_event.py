"""CPU time of each streamed event: gateway, nginx and nothing, side by side in one run.

`python -m bench.cpu_per_event`. An event is one text delta that the backend sends. Time is
CPU time and not duration, so that it means the same when the machine has other things to do.
"""

from __future__ import annotations

import statistics
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from bench import table
from bench.processes import nginx_version
from bench.results import Circumstances, save
from bench.rig import Rig, Sample
from bench.scenario import PACED, SATURATED, SHORT, smoke

if TYPE_CHECKING:
    from collections.abc import Sequence

SCENARIOS = (PACED, SATURATED, SHORT)

COLUMNS = (
    "lane",
    "carrier us/event",
    "x nginx",
    "all its processes",
    "simulator",
    "load generator",
    "events/s",
    "us/stream",
)


def main(
    rounds: Annotated[int, typer.Option(help="Measurements of each lane and scenario.")] = 5,
    json: Annotated[Path | None, typer.Option(help="Where to save the raw samples.")] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="Only these scenarios.")] = None,
    *,
    quick: Annotated[bool, typer.Option(help="Only see that everything runs.")] = False,
) -> None:
    """Measure CPU time of each event."""
    circumstances = Circumstances.now()
    scenarios = [each for each in SCENARIOS if not scenario or each.name in scenario]
    if quick:
        scenarios, rounds = [smoke(each) for each in scenarios], 1
    samples: list[Sample] = []
    with Rig() as rig:
        for number in range(rounds):
            samples += [rig.measure(lane, each, number) for each in scenarios for lane in rig.lanes]
    if json:
        save(json, circumstances, scenarios, samples)
    print(circumstances.lines())
    if not nginx_version():
        print("nginx is not installed: skipped, so there is no ratio to it")
    for each in scenarios:
        print(
            f"\n{each.name}: {each.streams} streams, {each.concurrency} at a time, {each.deltas} "
            f"deltas of {each.size_chars} characters, {each.gap_ms:g} ms apart; median (min-max) of "
            f"{rounds} interleaved rounds, all {each.streams * rounds} streams of each lane right"
        )
        table.show(COLUMNS, _rows([sample for sample in samples if sample.scenario == each.name]))


def _rows(samples: Sequence[Sample]) -> list[list[str]]:
    by_lane: dict[str, list[Sample]] = {}
    for sample in samples:
        by_lane.setdefault(sample.lane, []).append(sample)
    floors = [sample.us_per_event("carrier") for sample in by_lane.get("nginx", [])]
    return [_row(lane, measured, floors) for lane, measured in by_lane.items()]


def _row(lane: str, samples: Sequence[Sample], floors: Sequence[float]) -> list[str]:
    def column(role: str) -> list[float]:
        return [sample.us_per_event(role) for sample in samples]

    simulator, load = table.spread(column("simulator")), table.spread(column("load"))
    rate = f"{statistics.median(sample.events / sample.seen.wall_s for sample in samples):.0f}"
    if lane == "direct":
        return [lane, "-", "-", "-", simulator, load, rate, "-"]
    carrier = column("carrier")
    # Of neighbours in time, so that a slow phase of the machine weighs on both.
    ratios = [used / floor for used, floor in zip(carrier, floors, strict=False)]
    per_stream = [sample.cpu_s["carrier"] / sample.streams * 1e6 for sample in samples]
    return [
        lane,
        table.spread(carrier),
        table.spread(ratios) if ratios else "-",
        table.spread(column("product")),
        simulator,
        load,
        rate,
        table.spread(per_stream),
    ]


if __name__ == "__main__":
    typer.run(main)
