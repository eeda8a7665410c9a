"""Makes a run: every scenario, round after round, its lanes one right after the other."""

from __future__ import annotations

import compileall
import time
from pathlib import Path
from typing import TYPE_CHECKING

import codexia
import codexia_supervisor
import codexia_workers
from bench.measure import measure
from bench.processes import ProcessFailed
from bench.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.participant import Participant
    from bench.results import Result
    from bench.scenario import Scenario


def run(result: Result, opponents: Sequence[Participant]) -> None:
    """Make all measurements of a result's scenarios, and add them to it."""
    for package in (codexia, codexia_supervisor, codexia_workers):
        compileall.compile_dir(Path(package.__path__[0]), quiet=1)
    with Rig(opponents) as rig:
        result.absent.update(rig.absent)
        for scenario in result.scenarios.values():
            began = time.monotonic()
            _run_scenario(rig, scenario, result)
            print(f"{scenario.name}: {time.monotonic() - began:.0f} s", flush=True)


def _run_scenario(rig: Rig, scenario: Scenario, result: Result) -> None:
    for number in range(scenario.rounds):
        for lane in rig.lanes(scenario):
            if lane.kind == "opponent" and number >= scenario.opponent_rounds:
                continue
            began = time.monotonic()
            try:
                result.samples.append(measure(rig, lane, scenario, number))
            except ProcessFailed as error:
                if lane.kind != "opponent":
                    raise
                result.absent[f"{lane.name} in {scenario.name}"] = str(error)[-300:]
            took_s = time.monotonic() - began
            print(
                f"  {scenario.name} {number + 1}/{scenario.rounds} {lane.name}: {took_s:.1f} s",
                flush=True,
            )
