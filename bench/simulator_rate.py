"""Whether the simulator is fast enough to measure the gateway with.

`python -m bench.simulator_rate`. A simulator that were slower than a worker would be what the other
scripts measure. Both rates are events of one second of CPU time, of the same streams.
"""

from __future__ import annotations

import statistics
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from bench import table
from bench.circumstances import Circumstances
from bench.dialects import DIALECTS
from bench.measure import measure
from bench.results import Result
from bench.rig import Rig
from bench.scenario import scenarios

if TYPE_CHECKING:
    from bench.sample import Sample

WANTED_FACTOR = 3


def main(
    rounds: Annotated[int, typer.Option(help="Measurements of each lane.")] = 5,
    json: Annotated[Path | None, typer.Option(help="Where to save the raw samples.")] = None,
    *,
    quick: Annotated[bool, typer.Option(help="Only see that everything runs.")] = False,
) -> None:
    """Compare the simulator's event rate with that of one worker; exit 1 below the bar."""
    circumstances = Circumstances.now()
    scenario = scenarios()["saturated"]
    scenario = scenario.model_copy(update={"lanes": ("direct", *DIALECTS)})
    if quick:
        scenario, rounds = scenario.smoke(), 1
    with Rig() as rig:
        lanes = rig.lanes(scenario)
        samples = [
            measure(rig, lane, scenario, number) for number in range(rounds) for lane in lanes
        ]
    if json:
        named = {scenario.name: scenario}
        Result(circumstances=circumstances, scenarios=named, samples=samples).save(json)
    print(circumstances.lines())
    rates = {
        lane.name: [_events_per_cpu_s(each) for each in samples if each.lane == lane.name]
        for lane in lanes
    }
    factors = {
        name: [fast / slow for fast, slow in zip(rates["direct"], slower, strict=True)]
        for name, slower in rates.items()
    }
    print(f"\nthe simulator alone, and one worker by dialect; {rounds} interleaved rounds")
    table.show(
        ("lane", "events/s of one core", "simulator is faster by"),
        [(name, table.spread(rates[name]), table.spread(factors[name])) for name in rates],
    )
    slow = [name for name in DIALECTS if statistics.median(factors[name]) < WANTED_FACTOR]
    if slow and not quick:
        print(f"the simulator is less than {WANTED_FACTOR} times as fast as a worker")
        raise typer.Exit(1)


def _events_per_cpu_s(sample: Sample) -> float:
    return sample.values["events"] / sample.values["carrier_s"]


if __name__ == "__main__":
    typer.run(main)
