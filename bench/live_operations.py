"""Whether a daemon under traffic can be edited, restarted and killed unnoticed.

`python -m bench.live_operations`. Keeps streams open, asks 50 times a second through the
vendors' SDKs and 50 times a second over new connections without retries, and meanwhile edits
the settings in every way, restarts by hand-over and kills the supervisor. Then the same under a
hammer of new connections. Exits 1 if a bar is missed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from bench import table
from bench.circumstances import Circumstances
from tests.e2e.operations import EDITS, FLEET, Operator, free_ports
from tests.e2e.processes import log_in, running_simulator
from tests.e2e.service import Service
from tests.e2e.traffic import Traffic, going_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.e2e.processes import Simulator

WORKER_COUNTS = (4, 1, 2)
HAMMER_CONNECTIONS = 8
MAX_HAMMER_RESETS = 1 / 10_000


@dataclass(frozen=True)
class Run:
    """How much of everything there is."""

    streams: int
    deltas: int
    gap_ms: int
    per_s: float
    edits: int
    restarts: int
    kills: int


LONG = Run(streams=300, deltas=150, gap_ms=200, per_s=50, edits=50, restarts=5, kills=3)
QUICK = Run(streams=30, deltas=50, gap_ms=100, per_s=20, edits=12, restarts=1, kills=1)


def main(*, quick: Annotated[bool, typer.Option(help="Little of everything.")] = False) -> None:
    """Operate on a daemon under traffic; say what its clients noticed."""
    run = QUICK if quick else LONG
    print(Circumstances.now().lines())
    missed: list[str] = []
    with running_simulator() as simulator:
        missed += asyncio.run(_steady(simulator, run))
        missed += asyncio.run(_hammered(simulator, run))
        if violations := simulator.stats["violations"]:
            missed.append(f"the backend was asked wrongly: {violations[:3]}")
    for bar in missed:
        print(f"MISSED: {bar}")
    if missed:
        raise typer.Exit(1)


async def _steady(simulator: Simulator, run: Run) -> list[str]:
    def streams(traffic: Traffic) -> Awaitable[None]:
        return traffic.streams(run.streams, run.deltas, run.gap_ms)

    def sdks(traffic: Traffic) -> Awaitable[None]:
        return traffic.sdks(run.per_s)

    def plain(traffic: Traffic) -> Awaitable[None]:
        return traffic.plain(run.per_s)

    traffic, operator = await _operated(simulator, run, streams, sdks, plain)
    missed = [f"{kind} failed: {dict(found)}" for kind, found in traffic.failures.items()]
    if traffic.done["streams"] < run.streams:
        missed.append(f"only {traffic.done['streams']} streams")
    if slow := [after_s for after_s in operator.back_after_s if after_s >= 5]:
        missed.append(f"a killed supervisor was back after {slow} s")
    return missed


async def _hammered(simulator: Simulator, run: Run) -> list[str]:
    def hammer(traffic: Traffic) -> Awaitable[None]:
        return traffic.hammer(HAMMER_CONNECTIONS)

    traffic, _ = await _operated(simulator, run, hammer)
    lost = traffic.failures.get("hammer", Counter[str]())
    allowed = MAX_HAMMER_RESETS * traffic.done["hammer"]
    return [f"the hammer noticed {dict(lost)}"] if sum(lost.values()) > allowed else []


async def _operated(
    simulator: Simulator, run: Run, *kinds: Callable[[Traffic], Awaitable[None]]
) -> tuple[Traffic, Operator]:
    with TemporaryDirectory(prefix="codexia-live-") as scratch:
        home = Path(scratch) / "home"
        log_in(home, simulator)
        ports = free_ports(2)
        started = time.monotonic()
        settings = {"workers": 2, "api_keys": [FLEET], "max_upstream_streams": 0}
        with Service(home, simulator, bind_port=ports[0], **settings) as service:
            async with going_on(f"http://127.0.0.1:{ports[0]}", *kinds) as traffic:
                operator = Operator(service, traffic)
                await _operate(operator, run, ports)
            await operator.settled()
    took_s = time.monotonic() - started
    print(
        f"\n{operator.edits} edits, {run.restarts} restarts, {run.kills} kills in {took_s:.0f} s; "
        f"killed supervisors back after {[round(s, 1) for s in operator.back_after_s]} s"
    )
    rows = [
        (kind, str(traffic.done[kind]), str(traffic.failures.get(kind, "none")))
        for kind in sorted({*traffic.done, *traffic.failures})
    ]
    table.show(("traffic", "answered whole", "failed"), rows)
    return traffic, operator


async def _operate(operator: Operator, run: Run, ports: list[int]) -> None:
    """Make all edits, the restarts and kills spread among them."""
    counts = [WORKER_COUNTS[n % len(WORKER_COUNTS)] for n in range(run.edits // 8)]
    heavy: list[Callable[[], Awaitable[None]]] = []
    for number, count in enumerate(counts):
        heavy.append(lambda count=count: operator.set_workers(count))
        if number < run.restarts:
            heavy.append(operator.restart)
        if number < run.kills:
            heavy.append(operator.kill)
        heavy.append(lambda port=ports[(number + 1) % 2]: operator.set_port(port))
        heavy.append(operator.break_and_mend)
    light = iter(range(run.edits))
    for operation in heavy:
        await operation()
        while operator.edits < run.edits * (heavy.index(operation) + 1) / len(heavy):
            await operator.edit(**EDITS[next(light) % len(EDITS)])


if __name__ == "__main__":
    os.environ.pop("CODEXIA_HOME", None)
    typer.run(main)
