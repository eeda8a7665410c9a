"""A supervisor that does nothing but give items to a runner and note what it settles."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from codexia.batches import Assignment, WorkOffer

if TYPE_CHECKING:
    from pathlib import Path


class WorkGiver:
    """Serves `/work` and `/settle` on a Unix socket.

    Attributes:
        offers: of every connection so far.
        settled: outcomes by item, each time that they came.
        refusing: whether `/settle` fails.
        never: texts that make it a fault of the worker.
    """

    def __init__(self, path: Path) -> None:
        self.offers: list[WorkOffer] = []
        self.settled: dict[int, list[dict[str, Any]]] = {}
        self.groups: list[int] = []
        self.refusing = False
        self.never: set[bytes] = set()
        self._path = path
        self._changed = asyncio.Condition()
        self._items: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> WorkGiver:
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/work", self._work)
        app.router.add_post("/settle", self._settle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._path)).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner
        await self._runner.cleanup()
        self._path.unlink(missing_ok=True)

    def give(self, item: int, body: dict[str, Any], endpoint: str = "/v1/messages") -> None:
        """Assign an item to whoever is connected."""
        assignment = Assignment(
            item=item, batch_id="b", endpoint=endpoint, key_name="", attempt=1, body=body
        )
        self._items.put_nowait(assignment.model_dump_json().encode() + b"\n")

    def hang_up(self) -> None:
        """End the connection of the runner."""
        self._items.put_nowait(None)

    async def outcome(self, item: int) -> dict[str, Any]:
        """Return how an item went, once that is known."""
        await self.until(lambda: item in self.settled)
        return self.settled[item][0]

    async def until(self, condition: Any) -> None:
        """Return once a condition holds."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(condition)

    async def _work(self, request: web.Request) -> web.StreamResponse:
        self.offers.append(WorkOffer.model_validate_json(await request.read()))
        await self._announce()
        reply = web.StreamResponse()
        await reply.prepare(request)
        while (line := await self._items.get()) is not None:
            await reply.write(line)
        return reply

    async def _settle(self, request: web.Request) -> web.Response:
        content = await request.read()
        if self.refusing:
            return web.json_response({"error": {"message": "full"}}, status=503)
        if any(text in content for text in self.never):
            return web.json_response({"error": {"message": "no"}}, status=400)
        message = orjson.loads(content)
        self.groups.append(len(message["outcomes"]))
        for outcome in message["outcomes"]:
            self.settled.setdefault(outcome["item"], []).append(outcome)
        await self._announce()
        return web.Response(status=204)

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()
