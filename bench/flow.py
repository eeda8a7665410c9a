"""One flow of requests under way: connections that ask again and again."""

from __future__ import annotations

import asyncio
import math
import random
from typing import TYPE_CHECKING

from bench.client import Connection, Exchange, Target
from bench.job import PROMPT

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.job import Flow

SEED = 1
DEADLINE_S = 45.0
"""For streams that are counted, and for those under way when new ones no longer begin."""


class FlowRun:
    """Makes the requests of a flow.

    Nothing wakes a task while streams run: a connection whose answer is here sends its next
    request from within the read that ended it.

    Attributes:
        flow: what is asked.
        on_exchange: gets each exchange when it has ended, and must not fail.
    """

    def __init__(self, flow: Flow, group: asyncio.TaskGroup) -> None:
        self.flow = flow
        self.on_exchange: Callable[[Exchange], None] = lambda _: None
        self._group = group
        self._target = Target.of(flow.url)
        self._connections: list[Connection] = []
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._request = b""
        self._left = 0.0
        self._until = 0.0
        self._waiting = 0
        self._drawn = random.Random(SEED)  # the same in every run

    async def open(self) -> None:
        """Open every connection and carry one short stream over it."""
        warming = self.flow.streams.warming()
        for _ in range(warming.concurrency):
            self._connections.append(await self._connect())
        await self._run(warming.prompt, warming.concurrency, 0, 0)

    async def run(self) -> None:
        """Make the requests and return when the last answer is here."""
        streams = self.flow.streams
        await self._run(streams.prompt, streams.streams, streams.seconds or 0, streams.ramp_s)

    async def run_until(self, other: asyncio.Event) -> None:
        """Make requests until the event, and return when the answers are here."""
        self._group.create_task(self._stop_at(other))
        await self._run(self.flow.streams.prompt, None, math.inf, 0)

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()

    async def _run(self, prompt: str, streams: int | None, seconds: float, ramp_s: float) -> None:
        self._request = self._target.request(
            {"content-type": "application/json", **self.flow.headers},
            self.flow.body.replace(PROMPT, prompt).encode(),
        )
        self._left = math.inf if streams is None else streams
        self._until = self._loop.time() + (seconds if streams is None else math.inf)
        self._ended.clear()
        self._waiting = len(self._connections)
        for connection in list(self._connections):
            if ramp_s:
                self._loop.call_later(self._drawn.uniform(0, ramp_s), self._next, connection)
            else:
                self._next(connection)
        async with asyncio.timeout(seconds + DEADLINE_S if seconds < math.inf else None):
            await self._ended.wait()

    async def _stop_at(self, other: asyncio.Event) -> None:
        await other.wait()
        self._until = 0.0

    def _next(self, connection: Connection) -> None:
        if self._left <= 0 or self._loop.time() >= self._until:
            self._waiting -= 1
            if not self._waiting:
                self._ended.set()
            return
        self._left -= 1
        self._send(connection)

    def _send(self, connection: Connection) -> None:
        if connection.is_open:
            connection.send(self._request)
        else:
            self._group.create_task(self._send_anew(connection))

    async def _send_anew(self, lost: Connection) -> None:
        fresh = await self._connect()
        self._connections[self._connections.index(lost)] = fresh
        fresh.send(self._request)

    async def _connect(self) -> Connection:
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._answered), self._target.host, self._target.port
        )
        return connection

    def _answered(self, connection: Connection, exchange: Exchange) -> None:
        if exchange.reused and not exchange.reads:
            # The server had closed a connection that was idle.
            self._send(connection)
            return
        self.on_exchange(exchange)
        rest_s = self.flow.streams.rest_ms / 1000
        if rest_s:
            self._loop.call_later(self._drawn.uniform(0.5, 1.5) * rest_s, self._next, connection)
        else:
            self._next(connection)
