"""Many streams for a long time: frames that get lost, memory that grows.

A third of the streams come in each dialect. Each is checked when it ends, to the last character.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import httpx
import orjson
from pydantic import BaseModel

from bench.circumstances import Circumstances
from bench.job import Job, Seen
from bench.load_process import LoadGenerator
from bench.memory import MemoryWatch
from bench.rig import Rig
from bench.scenario import Streams
from bench.slope import Slope
from bench.table import render

if TYPE_CHECKING:
    from pathlib import Path

    from bench.lane import Lane

SAMPLES = 240
"""Readings of the memory in all, however long it takes."""

WARM_SHARE = 2 / 3
"""Of the time, that does not count for the slopes. With 500 streams the allocator's pools went on
filling for twelve minutes, by 1 MB a worker, and then stood still; a leak does not stop."""

MOST_MB = 0.5
"""What a process may grow for sure while it counts."""

DELTAS = 50
GAP_MS = 100


class Soak(BaseModel):
    """One soak.

    Attributes:
        seen: what the clients saw, by dialect.
        stats: counters of the simulator, in the end.
        memory_mb: seconds since the start, and megabytes by process.
        replaced: processes of the gateway that were others in the end.
    """

    circumstances: Circumstances
    minutes: float
    streams: int
    workers: int
    seen: dict[str, Seen]
    stats: dict[str, int]
    memory_mb: list[tuple[float, dict[str, float]]]
    replaced: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return a saved soak."""
        return cls.model_validate_json(path.read_bytes())

    def save(self, path: Path) -> None:
        """Write it as JSON, a reading of the memory on each line."""
        content = self.model_dump(mode="json")
        readings = [orjson.dumps(reading) for reading in content.pop("memory_mb")]
        head = orjson.dumps(content, option=orjson.OPT_INDENT_2).removesuffix(b"\n}")
        path.write_bytes(head + b',\n  "memory_mb": [\n' + b",\n".join(readings) + b"\n  ]\n}\n")

    @property
    def passed(self) -> bool:
        """Whether nothing was lost and nothing of the gateway grew."""
        clean = not any(self.stats.values()) and not self.replaced
        return clean and not any(self.grows(name) for name in self.memory_mb[0][1])

    def slope(self, process: str) -> Slope:
        """Return the growth of a process in MB/s."""
        counted = self.memory_mb[int(len(self.memory_mb) * WARM_SHARE) :]
        return Slope.of([(at, memory[process]) for at, memory in counted])

    def grows(self, process: str) -> bool:
        """Return whether a process of the gateway grows for sure."""
        slope = self.slope(process)
        counted_s = self.minutes * 60 * (1 - WARM_SHARE)
        surely_mb = (slope.value - slope.margin) * counted_s
        return process != "simulator" and surely_mb > MOST_MB


def soak(minutes: float, streams: int, workers: int) -> Soak:
    """Stream for so long and return what came of it.

    Raises:
        ProcessFailed: a stream was not as it was sent, or did not come.
    """
    circumstances = Circumstances.now()
    seconds = minutes * 60
    with Rig() as rig, ExitStack() as stack:
        gateway = rig.gateway(workers)
        lanes = [
            rig.gateway_lane(dialect, gateway) for dialect in ("messages", "chat", "responses")
        ]
        pids = _named(lanes[0]) | {"simulator": rig.simulator.pid}
        loads = [stack.enter_context(LoadGenerator()) for _ in lanes]
        with (
            MemoryWatch(pids, seconds / SAMPLES) as watch,
            ThreadPoolExecutor(len(lanes)) as pool,
        ):
            running = [
                pool.submit(_streamed, rig, load, lane, streams // len(lanes), seconds)
                for lane, load in zip(lanes, loads, strict=True)
            ]
        seen = {lane.name: each.result() for lane, each in zip(lanes, running, strict=True)}
        replaced = len(set(lanes[0].product) - set(gateway.pids()))
        reply = httpx.get(f"{rig.simulator.url}/simulator/stats", trust_env=False).json()
    return Soak(
        circumstances=circumstances,
        minutes=minutes,
        streams=streams,
        workers=workers,
        seen=seen,
        stats={name: reply[name] for name in ("disconnects", "violation_count", "rejections")},
        memory_mb=[
            (round(at, 1), {name: round(mb, 2) for name, mb in memory.items()})
            for at, memory in watch.samples
            if at < seconds
        ],
        replaced=replaced,
    )


def soak_table(soaked: Soak) -> str:
    """Return what came of a soak, with where and when it was made."""
    rows = [
        [
            name,
            *(f"{mb:.1f}" for mb in _in_thirds(soaked, name)),
            f"{slope.value * 3600:+.2f} ± {slope.margin * 3600:.2f}",
            "grows" if soaked.grows(name) else "",
        ]
        for name in soaked.memory_mb[0][1]
        for slope in [soaked.slope(name)]
    ]
    streams = sum(seen.streams for seen in soaked.seen.values())
    events = sum(seen.events for seen in soaked.seen.values())
    gaps = [f"{name} {seen.gap.p99_ms:.0f} ms" for name, seen in soaked.seen.items() if seen.gap]
    told = (
        f"{soaked.minutes:g} minutes, {soaked.streams} streams at a time, {soaked.workers} workers: "
        f"{streams:,} streams with {events:,} deltas, all right to the last character; p99 of the "
        f"gaps of {GAP_MS} ms: {', '.join(gaps)}."
    )
    columns = ["process, MB", "idle", "1/3", "2/3", "end", "last third, MB/hour, 95 %", ""]
    head = ["```", soaked.circumstances.lines(), "```"]
    return "\n".join([*head, "", told, "", render(columns, rows)])


def _streamed(rig: Rig, load: LoadGenerator, lane: Lane, concurrency: int, seconds: float) -> Seen:
    streams = Streams(
        concurrency=concurrency,
        seconds=seconds,
        ramp_s=min(5, seconds / 10),
        deltas=DELTAS,
        gap_ms=GAP_MS,
    )
    job = Job(main=rig.flow(lane, streams), live=True)
    _, seen = load.run(job, on_ready=lambda: None, on_finished=lambda: None)
    return seen


def _named(lane: Lane) -> dict[str, int]:
    workers = {f"worker {number + 1}": pid for number, pid in enumerate(lane.carriers)}
    supervisor, granian, *_ = lane.product
    return {"supervisor": supervisor, "granian": granian, **workers}


def _in_thirds(soaked: Soak, process: str) -> list[float]:
    readings = soaked.memory_mb
    places = [0, len(readings) // 3, len(readings) * 2 // 3, -1]
    return [readings[place][1][process] for place in places]
