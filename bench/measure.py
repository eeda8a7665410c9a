"""Makes one measurement of one lane."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench.cold_start import cold_start_values
from bench.cpu import CpuMeter
from bench.memory import MemoryWatch, resident_mb
from bench.pinning import apart
from bench.processes import Gateway
from bench.sample import Sample, streamed_values
from bench.standstill import standstill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.lane import Lane
    from bench.rig import Rig
    from bench.scenario import Scenario

WATCH_S = 0.1
SETTLED_S = 2.0
"""After the last stream, until memory counts as that of afterwards."""


def measure(rig: Rig, lane: Lane, scenario: Scenario, round_number: int = 0) -> Sample:
    """Return one measurement; every stream of it has been looked at.

    Raises:
        ProcessFailed: a stream was not as it was sent, or did not come.
    """
    notes: Mapping[str, int] = {}
    with standstill(rig.other_opponents(lane)):
        match scenario.measure:
            case "streams":
                values, notes = _streamed(rig, lane, scenario)
            case "memory":
                values = _memory_values(rig, lane, scenario, round_number)
            case "cold_start":
                home = rig.folder / f"cold-{scenario.name}-{round_number}"
                values = cold_start_values(home, rig, lane.dialect, scenario)
    return Sample(
        scenario=scenario.name,
        lane=lane.name,
        kind=lane.kind,
        round=round_number,
        values={name: float(f"{value:.5g}") for name, value in values.items()},
        notes=dict(notes),
    )


def _streamed(
    rig: Rig, lane: Lane, scenario: Scenario
) -> tuple[dict[str, float], Mapping[str, int]]:
    roles = {
        "carrier": lane.carriers,
        "product": lane.product,
        "simulator": [rig.simulator.pid],
    }
    meter = CpuMeter(roles)
    used_s: dict[str, float] = {}
    memory: dict[str, float] = {}

    def finished() -> None:
        used_s.update(meter.used_s())
        memory["rss_mb"] = sum(map(resident_mb, lane.product))

    with ExitStack() as stack:
        if scenario.pinned:
            stack.enter_context(apart(lane.carriers, rig.others(lane)))
        told, seen = rig.stream(
            lane, scenario, beside=scenario.beside, on_ready=meter.start, on_finished=finished
        )
    return streamed_values(told, seen, used_s) | memory, seen.notes


def _memory_values(rig: Rig, lane: Lane, scenario: Scenario, round_number: int) -> dict[str, float]:
    """Return the memory of a fresh gateway before, during and after streams."""
    home = rig.folder / f"memory-{round_number}"
    with Gateway(home, rig.simulator, rig.auth, workers=scenario.workers) as gateway:
        gateway.wait_for(lambda: len(gateway.worker_pids()) == scenario.workers)
        fresh = rig.gateway_lane(lane.dialect, gateway)
        idle = _resident(fresh)
        pids = {str(pid): pid for pid in fresh.product}
        with MemoryWatch(pids, WATCH_S) as watch:
            rig.stream(fresh, scenario)
        highest = {int(name): mb for name, mb in watch.highest_mb().items()}
        time.sleep(SETTLED_S)
        after = _resident(fresh)
    grown_mb = sum(highest.values()) - sum(idle.values())
    return {
        "idle_mb": sum(idle.values()),
        "idle_worker_mb": max(idle[pid] for pid in fresh.carriers),
        "loaded_mb": sum(highest.values()),
        "loaded_worker_mb": max(highest[pid] for pid in fresh.carriers),
        "after_mb": sum(after.values()),
        "stream_kb": grown_mb * 1024 / scenario.concurrency,
    }


def _resident(lane: Lane) -> dict[int, float]:
    return {pid: resident_mb(pid) for pid in lane.product}
