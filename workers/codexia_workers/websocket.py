"""`GET /v1/responses` upgraded to a WebSocket: many turns over one connection.

https://developers.openai.com/api/docs/guides/websocket-mode is the protocol. Codex CLI and the
OpenAI SDKs speak it. Turns run one after the other; a message that comes during one waits.
Pings are the server's business, which answers them as long as somebody reads.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from codexia.errors import BadRequest, Overloaded, RateLimited
from codexia_workers.body import ClientGone
from codexia_workers.websocket_turns import Turns, TurnWriter

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia_workers.sockets import Sockets
    from codexia_workers.worker import Worker

logger = logging.getLogger("codexia.websocket")

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Limit of a client's message. Granian drops a connection whose frames are larger."""

MAX_WAITING: Final = 8
"""Messages that may wait for the turn before them to end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a connection may last.

    Attributes:
        age_s: from its opening; then the client has to open another.
        idle_s: between turns.
    """

    age_s: float = 3600.0
    idle_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Close:
    """Why a connection is closed: https://www.rfc-editor.org/rfc/rfc6455#section-7.4."""

    code: int
    reason: str


IDLE: Final = Close(1000, "nothing was asked for a long time")
AGED: Final = Close(1000, "the connection is too old")
NOT_TEXT: Final = Close(1003, "messages must be text")
TOO_BIG: Final = Close(1009, "a message is larger than 16 MiB")
FAILED: Final = Close(1011, "internal error")
LEAVING: Final = Close(1012, "this server stops; connect again")


class ResponsesSocket:
    """The ASGI app of the upgraded endpoint."""

    def __init__(self, worker: Worker, sockets: Sockets, limits: Limits | None = None) -> None:
        self._worker = worker
        self._sockets = sockets
        self._limits = limits or Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            Overloaded: this server is about to stop; another one takes the next attempt.
        """
        if self._sockets.leaving:
            raise Overloaded("this server stops; connect again", retry_after_s=1)
        await receive()  # `websocket.connect`, always
        await send({"type": "websocket.accept"})
        await Connection(self._worker, self._sockets, self._limits, scope, send).run(receive)


class Connection:
    """One open WebSocket."""

    def __init__(
        self, worker: Worker, sockets: Sockets, limits: Limits, scope: Scope, send: Send
    ) -> None:
        self._worker = worker
        self._sockets = sockets
        self._limits = limits
        self._send = send
        self._turns = Turns(worker, scope, send)
        # None wakes an idle connection without being a message.
        self._waiting: asyncio.Queue[bytes | Close | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + limits.age_s

    async def run(self, receive: Receive) -> None:
        """Serve until either side closes."""
        close = FAILED
        try:
            with self._sockets.open(lambda: self._waiting.put_nowait(None)):
                async with asyncio.TaskGroup() as group:
                    reading = group.create_task(self._read(receive))
                    close = await self._serve()
                    # The server can only close what nobody reads.
                    reading.cancel()
                await self._close(close)
        except* ClientGone:
            # There is nobody to tell. The turn under way is cancelled, upstream included.
            pass
        except* Exception:  # the boundary: nothing that goes wrong here may end silently
            logger.exception("websocket failed")
            await self._close(FAILED)

    async def _read(self, receive: Receive) -> None:
        """Let messages wait for their turn.

        Always reading is also what keeps pings answered and shows that the client left.

        Raises:
            ClientGone: the client closed the connection.
        """
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                raise ClientGone
            text: str | None = message.get("text")
            content = b"" if text is None else text.encode()
            if text is None:
                self._waiting.put_nowait(NOT_TEXT)
            elif len(content) > MAX_MESSAGE_BYTES:
                self._waiting.put_nowait(TOO_BIG)
            elif self._waiting.qsize() >= MAX_WAITING:
                error = RateLimited(f"{MAX_WAITING} messages wait already; let responses end first")
                await TurnWriter(self._send).error(error)
            else:
                self._waiting.put_nowait(content)

    async def _serve(self) -> Close:
        """Take messages in turn until the connection has to be closed."""
        while True:
            left_s = self._ends_at - self._loop.time()
            if self._sockets.leaving or self._worker.draining:
                return LEAVING
            if left_s <= 0:
                await TurnWriter(self._send).error(_too_old(self._limits.age_s))
                return AGED
            try:
                async with asyncio.timeout(min(left_s, self._limits.idle_s)):
                    message = await self._waiting.get()
            except TimeoutError:
                if left_s > self._limits.idle_s:
                    return IDLE
                continue
            if isinstance(message, Close):
                return message
            if message is not None:
                await self._turns.take(message)

    async def _close(self, close: Close) -> None:
        await self._send({"type": "websocket.close", "code": close.code, "reason": close.reason})


def _too_old(age_s: float) -> BadRequest:
    return BadRequest(
        f"a connection lasts {age_s / 60:.0f} minutes; open another to go on",
        code="websocket_connection_limit_reached",
    )
