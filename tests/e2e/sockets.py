"""A WebSocket of the Responses dialect, as a client sees it."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


ENDS = ("response.completed", "response.incomplete", "response.failed", "error")
DEADLINE_S = 20.0


class ConnectionClosed(Exception):
    """The gateway closed the connection, or it broke.

    Attributes:
        code: the close code, None where the connection ended without one.
    """

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


@dataclass
class Turn:
    """The events of one turn, checked while they came."""

    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def text(self) -> str:
        deltas = [each for each in self.events if each["type"] == "response.output_text.delta"]
        return "".join(each["delta"] for each in deltas)

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def response(self) -> dict[str, Any]:
        return self.last["response"]

    @property
    def whole(self) -> bool:
        """Whether it has the grammar of a complete stream, numbered without gaps."""
        numbers = [event["sequence_number"] for event in self.events]
        kinds = Counter(self.kinds)
        return (
            numbers == list(range(len(numbers)))
            and self.kinds[0] == "response.created"
            and self.kinds[-1] == "response.completed"
            and kinds["response.created"] == kinds["response.completed"] == 1
        )


@dataclass
class Socket:
    """One open connection."""

    http: aiohttp.ClientWebSocketResponse

    async def send(self, **message: Any) -> None:
        created = {"type": "response.create", "model": "gpt-5.5", **message}
        await self.http.send_str(orjson.dumps(created).decode())

    async def event(self) -> dict[str, Any]:
        message = await self.http.receive(timeout=DEADLINE_S)
        if message.type is not aiohttp.WSMsgType.TEXT:
            code = message.data if message.type is aiohttp.WSMsgType.CLOSE else None
            raise ConnectionClosed(code, str(message.extra))
        return orjson.loads(message.data)

    async def rest(self) -> Turn:
        """Read until the end of the turn."""
        turn = Turn()
        while not turn.events or turn.last["type"] not in ENDS:
            turn.events.append(await self.event())
        return turn

    async def turn(self, **message: Any) -> Turn:
        await self.send(**message)
        return await self.rest()

    async def error(self, text: str) -> dict[str, Any]:
        """Send a message as it stands, return the error that it gets."""
        await self.http.send_str(text)
        event = await self.event()
        assert event["type"] == "error", event
        return event


@asynccontextmanager
async def connected(url: str, **headers: str) -> AsyncIterator[Socket]:
    """Give a connection to a gateway."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}/v1/responses", headers=headers, max_msg_size=0) as socket,
    ):
        yield Socket(socket)
