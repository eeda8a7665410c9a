"""One call to the supervisor, over a connection of its own to its Unix socket.

A client library would do this too, at the price of 9 MB in each worker and a tenth of a second
of every start.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httptools

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

CONNECT_TIMEOUT_S: Final = 15.0
READ_BYTES: Final = 256 * 1024


class NotHeard(OSError):
    """Nobody is at the socket, so nobody heard the call."""


class CallBroken(OSError):
    """The answer did not come, or not to its end; the call may have been heard."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take.

    Attributes:
        total_s: from the first byte sent to the last one read; None for as long as it takes.
        silence_s: without a byte of the answer; None for as long as it takes.
    """

    total_s: float | None = None
    silence_s: float | None = None


class ControlReply:
    """The answer to a call, begun.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, reader: asyncio.StreamReader, patience: Patience) -> None:
        self.status = 0
        self._reader = reader
        self._clock = asyncio.get_running_loop().time
        self._silence_s = patience.silence_s
        self._until = None if patience.total_s is None else self._clock() + patience.total_s
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._ended = False

    async def read(self) -> bytes:
        """Return the rest of the body.

        Raises:
            OSError: it does not come.
        """
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body as it comes.

        Raises:
            OSError: it does not come to its end.
        """
        while True:
            parts, self._parts = self._parts, []
            for part in parts:
                yield part
            if self._ended and not self._parts:
                return
            if not self._parts:
                await self._more()

    async def begin(self) -> None:
        """Return once the status is here.

        Raises:
            OSError: it does not come.
        """
        while not self.status:
            await self._more()

    async def _more(self) -> None:
        try:
            async with asyncio.timeout_at(self._patient_until()):
                data = await self._reader.read(READ_BYTES)
        except ConnectionError as error:
            raise CallBroken("the supervisor broke off") from error
        if not data:
            raise CallBroken("the supervisor broke off")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise CallBroken("the supervisor's answer is not HTTP") from error

    def _patient_until(self) -> float | None:
        if self._silence_s is None:
            return self._until
        silent_until = self._clock() + self._silence_s
        return silent_until if self._until is None else min(silent_until, self._until)

    # Called by the parser.

    def on_headers_complete(self) -> None:
        """Take the status, unless it is of an interim answer."""
        status = self._parser.get_status_code()
        self.status = status if status >= 200 else 0

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """Note the end of the body."""
        self._ended = bool(self.status)


@asynccontextmanager
async def control_call(
    socket_path: str,
    method: str,
    path: str,
    content: bytes | AsyncIterable[bytes],
    patience: Patience,
) -> AsyncGenerator[ControlReply]:
    """Give the answer to one call, begun; the connection ends with the context.

    Args:
        socket_path: of the control socket.
        method: of HTTP.
        path: with the query.
        content: the body; of a stream, what ends it early ends the call.
        patience: how long it may take.

    Raises:
        NotHeard: nobody is there.
        OSError: the answer does not come, or not to its end.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(socket_path)
    except OSError as error:
        raise NotHeard("the supervisor's socket leads nowhere") from error
    reply = ControlReply(reader, patience)
    try:
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: supervisor\r\nconnection: close\r\n"
            "content-type: application/json\r\n"
        )
        if isinstance(content, bytes):
            head += f"content-length: {len(content)}\r\n\r\n"
            writer.writelines((head.encode(), content))
            await reply.begin()
        else:
            writer.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
            await _begin_while_sending(reply, writer, content)
        yield reply
    finally:
        writer.transport.abort()


async def _begin_while_sending(
    reply: ControlReply, writer: asyncio.StreamWriter, content: AsyncIterable[bytes]
) -> None:
    """Return once the answer begins, which it may before all is sent; the rest is not sent then."""
    failure: OSError | None = None
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(_send(writer, content))
        try:
            await reply.begin()
        except OSError as error:  # a group would wrap it
            failure = error
        sending.cancel()
    try:
        if failure is not None:
            raise failure
    finally:
        # It would be in a frame of its own traceback, a cycle that keeps the content's source.
        del failure


async def _send(writer: asyncio.StreamWriter, content: AsyncIterable[bytes]) -> None:
    try:
        async for piece in content:
            if piece:
                writer.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
    except Exception:  # noqa: BLE001 - whatever it is, who gave the content knows it
        # A body without its end is none, and is answered with the end of the connection.
        writer.transport.abort()
