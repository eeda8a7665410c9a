"""The load generator, a process of its own: `python -m bench.load`, spoken to over its pipes.

A `Job` comes in as a line and is answered line by line: `Ready` once every connection is
open; after a line `go`, `Finished` when the last byte is here; `Verified` when every stream
was found right. Streams are only kept while the clock runs and looked at afterwards, so that
the generator takes as little as possible of a machine that it shares with what it measures.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Literal

import aiohttp
import uvloop
from pydantic import BaseModel

from bench.dialects import DIALECTS, WrongStream, check_stream
from bench.scenario import Scenario  # noqa: TC001 - pydantic reads annotations at run time


class Job(BaseModel):
    """Requests to make, all alike.

    Attributes:
        body: with `prompt` where that of the scenario goes.
        dialect: what the streams arrive in.
    """

    url: str
    headers: dict[str, str]
    body: str
    dialect: Literal["messages", "chat", "responses"]
    scenario: Scenario


class Finished(BaseModel):
    """What the generator saw of a job, and what it took itself."""

    wall_s: float
    cpu_s: float
    received_bytes: int
    reads: int


PROMPT = "bench prompt"
"""Stands in `Job.body` for the prompt of the scenario."""


def main() -> None:
    """Do the jobs that come in, until there are no more."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while line := sys.stdin.buffer.readline():
            runner.run(_do(Job.model_validate_json(line)))


async def _do(job: Job) -> None:
    timeout = aiohttp.ClientTimeout(total=600)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        try:
            warming = job.model_copy(update={"scenario": job.scenario.warming()})
            _verify(warming, await _streams(session, warming))
            _say("ready")
            sys.stdin.buffer.readline()
            wall, cpu = time.perf_counter(), time.process_time()
            streams = await _streams(session, job)
            finished = Finished(
                wall_s=time.perf_counter() - wall,
                cpu_s=time.process_time() - cpu,
                received_bytes=sum(len(chunk) for chunks in streams for chunk in chunks),
                reads=sum(len(chunks) for chunks in streams),
            )
            _say(finished.model_dump_json())
            _verify(job, streams)
            _say("verified")
        except* (WrongStream, aiohttp.ClientError, OSError) as errors:
            _say(f"failed: {errors.exceptions[0]}")


async def _streams(session: aiohttp.ClientSession, job: Job) -> list[list[bytes]]:
    """Return the chunks of every stream, as they were read."""
    streams: list[list[bytes]] = []
    left = iter(range(job.scenario.streams))
    body = job.body.replace(PROMPT, job.scenario.prompt).encode()

    async def client() -> None:
        for _ in left:
            async with session.post(job.url, data=body, headers=job.headers) as reply:
                chunks = [chunk async for chunk in reply.content.iter_any()]
                if reply.status != 200:
                    raise WrongStream(f"status {reply.status}: {b''.join(chunks)[:300]!r}")
                streams.append(chunks)

    async with asyncio.TaskGroup() as group:
        for _ in range(job.scenario.concurrency):
            group.create_task(client())
    return streams


def _verify(job: Job, streams: list[list[bytes]]) -> None:
    if len(streams) != job.scenario.streams:
        raise WrongStream(f"{len(streams)} streams, not {job.scenario.streams}")
    for chunks in streams:
        check_stream(DIALECTS[job.dialect], b"".join(chunks), job.scenario)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
