"""What becomes of many more clients than the account may have streams.

`python -m bench.overload`. All clients ask at once, in every dialect, with several local keys.
Every answer is checked to the last character, or is a refusal that says when to come back; the
backend counts how many streams it had at once. Exits 1 if a bar is missed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from bench import table
from bench.circumstances import Circumstances
from bench.cpu import descendants
from bench.memory import resident_mb
from tests.e2e.live_gateway import live_gateway
from tests.e2e.processes import running_simulator
from tests.e2e.streams import DIALECTS, paced, receive, session

if TYPE_CHECKING:
    from tests.e2e.live_gateway import LiveGateway
    from tests.e2e.processes import Simulator
    from tests.e2e.streams import Received

KEYS = ("laptop", "phone", "desk", "server")
PROMPT_BYTES = 20_000
MAX_GROWTH = 1.15
"""By how much the memory of a worker may grow from the first crowd to the last one."""


def main(
    *,
    clients: Annotated[int, typer.Option(help="That ask at once.")] = 2000,
    cap: Annotated[int, typer.Option(help="Streams at once.")] = 50,
    crowds: Annotated[int, typer.Option(help="How often they all come.")] = 3,
    quick: Annotated[bool, typer.Option(help="300 clients, 10 streams, twice.")] = False,
) -> None:
    """Let crowds come; say what became of them."""
    if quick:
        clients, cap, crowds = 300, 10, 2
    print(Circumstances.now().lines())
    settings = {
        "max_upstream_streams": cap,
        "queue_timeout_s": 600,
        "api_keys": [{"name": name, "key": f"key-of-{name}"} for name in KEYS],
    }
    missed: list[str] = []
    with (
        TemporaryDirectory(prefix="codexia-overload-") as scratch,
        running_simulator() as simulator,
        live_gateway(Path(scratch), simulator, **settings) as live,
    ):
        rows: list[tuple[str, ...]] = []
        resident: list[int] = []
        for crowd in range(crowds):
            row, problems = asyncio.run(_crowd(live, simulator, clients, cap))
            resident.append(_resident_mb(live))
            rows.append((str(crowd + 1), *row, str(resident[-1])))
            missed += problems
        if resident[-1] > MAX_GROWTH * resident[0]:
            missed.append(f"memory of the workers grew: {resident} MB")
    heads = ("crowd", "whole", "most streams", "seconds", "waited s, by key", "workers MB")
    print(f"\n{clients} clients at once, {cap} streams")
    table.show(heads, rows)
    for bar in missed:
        print(f"MISSED: {bar}")
    if missed:
        raise typer.Exit(1)


async def _crowd(
    live: LiveGateway, simulator: Simulator, clients: int, cap: int
) -> tuple[tuple[str, ...], list[str]]:
    simulator.http.post("/simulator/reset").raise_for_status()
    url = live.url
    shape, expected = paced(10, 10)
    prompt = f"{shape} {'x' * PROMPT_BYTES}"
    started = time.monotonic()
    ended_at: dict[str, list[float]] = {name: [] for name in KEYS}
    problems: Counter[str] = Counter()

    async def ask(number: int) -> None:
        name = KEYS[number % len(KEYS)]
        seen = await receive(sessions[name], url, DIALECTS[number % len(DIALECTS)], prompt)
        ended_at[name].append(time.monotonic() - started)
        if problem := _problem_of(seen, expected):
            problems[problem] += 1

    sessions = {name: session({"x-api-key": f"key-of-{name}"}) for name in KEYS}
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(ask(number))
    finally:
        for each in sessions.values():
            await each.close()
    stats = simulator.stats
    missed = [f"{problem}: {count}" for problem, count in problems.items()]
    if stats["most_streams"] > cap:
        missed.append(f"the backend had {stats['most_streams']} streams at once")
    if stats["violation_count"]:
        missed.append(f"the backend was asked wrongly: {stats['violations'][:3]}")
    mean_s = " ".join(f"{sum(each) / len(each):.1f}" for each in ended_at.values())
    took_s = f"{time.monotonic() - started:.1f}"
    whole = str(clients - problems.total())
    return (whole, str(stats["most_streams"]), took_s, mean_s), missed


def _problem_of(seen: Received, expected: str) -> str:
    if seen.whole and seen.text == expected:
        return ""
    return f"{seen.dialect} {seen.status} {seen.broken} {dict(seen.ends or {})}"


def _resident_mb(live: LiveGateway) -> int:
    pids = [pid for each in live.status().generations for pid in descendants(each.pid)]
    return round(sum(map(resident_mb, pids)))


if __name__ == "__main__":
    typer.run(main)
