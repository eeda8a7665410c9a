"""A worker for batches without a gateway: `batch_worker.py SOCKET NAME JOURNAL` runs it alone.

It answers each item with what `answer` says, or with the item's own request. What it runs is in
the journal, a line `number` each.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

RECONNECT_S = 0.05


async def echo(assignment: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": {"echo": assignment["body"]}}


class BatchWorker:
    """Takes items, runs and settles them, whatever happens to the supervisor.

    Attributes:
        ran: assignments in the order in which they came.
    """

    def __init__(
        self, socket: str, name: str, answer: Answer = echo, *, generation: int = 1
    ) -> None:
        self.ran: list[dict[str, Any]] = []
        self.refusals: list[str] = []
        self.connected = asyncio.Event()
        self._socket = socket
        self._name = name
        self._answer = answer
        self._generation = generation
        self._running: set[int] = set()
        self._outcomes: dict[int, dict[str, Any]] = {}
        self._done = asyncio.Event()

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.UnixConnector(self._socket)
        async with (
            aiohttp.ClientSession(
                "http://supervisor", connector=connector, timeout=timeout
            ) as http,
            asyncio.TaskGroup() as items,
        ):
            items.create_task(self._settle_all(http))
            while True:
                with suppress(aiohttp.ClientError, OSError):
                    await self._take_some(http, items)
                self.connected.clear()
                await asyncio.sleep(RECONNECT_S)

    async def _take_some(self, http: aiohttp.ClientSession, items: asyncio.TaskGroup) -> None:
        offer = {
            "worker": self._name,
            "generation": self._generation,
            "holding": [*self._running, *self._outcomes],
        }
        async with http.post("/work", data=orjson.dumps(offer)) as reply:
            reply.raise_for_status()
            self.connected.set()
            rest = b""
            async for chunk in reply.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._take(orjson.loads(line), items)

    def _take(self, assignment: dict[str, Any], items: asyncio.TaskGroup) -> None:
        number = assignment["item"]
        if number in self._running or number in self._outcomes:
            return
        self._running.add(number)
        self.ran.append(assignment)
        items.create_task(self._run(assignment))

    async def _run(self, assignment: dict[str, Any]) -> None:
        number = assignment["item"]
        outcome = await self._answer(assignment)
        self._outcomes[number] = {"item": number, "request_id": f"req_{number}", **outcome}
        self._running.discard(number)
        self._done.set()

    async def _settle_all(self, http: aiohttp.ClientSession) -> None:
        while True:
            await self._done.wait()
            self._done.clear()
            while self._outcomes:
                some = list(self._outcomes.values())[:64]
                content = orjson.dumps({"worker": self._name, "outcomes": some})
                try:
                    async with http.post("/settle", data=content) as reply:
                        if reply.status != 204:
                            self.refusals.append(await reply.text())
                        reply.raise_for_status()
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(RECONNECT_S)
                    continue
                for outcome in some:
                    del self._outcomes[outcome["item"]]


async def _alone(socket: str, name: str, journal: Path) -> None:
    with journal.open("ab", buffering=0) as file:

        async def noted(assignment: dict[str, Any]) -> dict[str, Any]:
            file.write(b"%d\n" % assignment["item"])
            return await echo(assignment)

        await BatchWorker(socket, name, noted).run()


if __name__ == "__main__":
    asyncio.run(_alone(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
