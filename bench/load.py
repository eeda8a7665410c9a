"""The load generator, a process of its own: `python -m bench.load`, spoken to over its pipes.

A `Job` comes in as a line and is answered line by line: `ready` once every connection is open;
after a line `go`, `Finished` when the last byte is here; `Seen` when every stream has been looked
at. Streams are only kept while the clock runs and looked at afterwards, so that the generator
takes as little as possible of a machine that it shares with what it measures.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from typing import TYPE_CHECKING

import uvloop

from bench.flow import FlowRun
from bench.job import Finished, Job
from bench.judge import Judge, WrongStream

if TYPE_CHECKING:
    from bench.client import Exchange
    from bench.job import Flow, Seen


def main() -> None:
    """Do the jobs that come in, until there are no more."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while line := sys.stdin.buffer.readline():
            runner.run(_do(Job.model_validate_json(line)))


async def _do(job: Job) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            await _timed(job, group)
    except* (WrongStream, OSError, TimeoutError) as errors:
        _say(f"failed: {errors.exceptions[0]!r}")


async def _timed(job: Job, group: asyncio.TaskGroup) -> None:
    main = FlowRun(job.main, group)
    beside = FlowRun(job.beside, group) if job.beside else None
    flows = [flow for flow in (main, beside) if flow]
    docket = _LiveDocket(job.main) if job.live else _Docket(job.main)
    try:
        for flow in flows:
            await _open(flow)
        main.on_exchange = docket.add
        _say("ready")
        sys.stdin.buffer.readline()
        gc.freeze()
        gc.disable()  # a collection in the middle of a stream would be a gap of our own
        ended = asyncio.Event()
        going_on = group.create_task(beside.run_until(ended)) if beside else None
        wall, cpu = time.perf_counter(), time.process_time()
        await main.run()
        wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        ended.set()
        _say(Finished(wall_s=wall_s, cpu_s=cpu_s).model_dump_json())
        if going_on:
            await going_on
        _say(docket.seen().model_dump_json())
    finally:
        gc.enable()
        gc.unfreeze()
        for flow in flows:
            flow.close()


async def _open(flow: FlowRun) -> None:
    warming = flow.flow.model_copy(update={"streams": flow.flow.streams.warming()})
    docket = _Docket(warming)
    flow.on_exchange = docket.add
    await flow.open()
    docket.seen()
    flow.on_exchange = lambda _: None


class _Docket:
    """Keeps exchanges until they are looked at."""

    def __init__(self, flow: Flow) -> None:
        self._judge = Judge(flow)
        self._kept: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        self._kept.append(exchange)

    def seen(self) -> Seen:
        for exchange in self._kept:
            self._judge.take(exchange)
        return self._judge.seen()


class _LiveDocket:
    """Looks at exchanges as they end; what is wrong with one is told in the end."""

    def __init__(self, flow: Flow) -> None:
        self._judge = Judge(flow)
        self._wrong: WrongStream | None = None

    def add(self, exchange: Exchange) -> None:
        try:
            self._judge.take(exchange)
        except WrongStream as error:
            self._wrong = self._wrong or error

    def seen(self) -> Seen:
        if self._wrong:
            raise self._wrong
        return self._judge.seen()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
