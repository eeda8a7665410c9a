"""One WebSocket to the backend, and a reply that comes over it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from codexia.codex.events import COMPLETED, FAILED, TERMINAL
from codexia.codex.payload import child_at
from codexia.codex.runs import pieces_of
from codexia.codex.websocket import (
    EXPIRED,
    FORGOTTEN,
    METADATA_EVENT,
    error_code,
    frame_of,
    headers_in,
    response_id,
)
from codexia.errors import CodexiaError, UpstreamError, UpstreamTimeout, UpstreamTruncated
from codexia.sse import MAX_FRAME_BYTES
from codexia_workers.draft import noted_call
from codexia_workers.reply import BROKE, FELL_SILENT, UpstreamReply

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Mapping

    from codexia.codex.incremental import Conversation, Known
    from codexia.codex.runs import Piece
    from codexia.sse import Frame
    from codexia_workers.draft import Call
    from codexia_workers.reply import Take

ITEM_DONE: Final = "response.output_item.done"
COMPRESSION_BITS: Final = 15
BATCH_FRAMES: Final = 64
"""Most frames that are handed on at once, so that a fast backend does not starve the others."""


class SocketClosed(UpstreamTruncated):
    """The socket cannot go on.

    Attributes:
        close_code: that it was closed with, 0 where it just broke.
        unanswered: whether not an event of the response had come.
    """

    def __init__(self, close_code: int = 0) -> None:
        super().__init__(BROKE)
        self.close_code = close_code
        self.unanswered = False


class Forgotten(UpstreamError):
    """The backend does not know the response that the request goes on from."""


class Expired(UpstreamError):
    """The socket is too old for the backend."""


class Upgraded(aiohttp.ClientWebSocketResponse[Any]):
    """A socket that can be dropped at once, without a farewell that may take long."""

    @property
    def upgrade_headers(self) -> Mapping[str, str]:
        """Headers of the answer to the upgrade, names in lower case."""
        return {name.lower(): value for name, value in self._response.headers.items()}

    @property
    def connected(self) -> bool:
        """Whether there is a connection below."""
        return not self.closed and self.get_extra_info("peername") is not None

    def abort(self) -> None:
        """Drop the connection."""
        self._response.close()


async def open_socket(
    client: aiohttp.ClientSession, url: str, headers: Mapping[str, str], proxy: str | None
) -> Upgraded:
    """Return a new socket.

    Raises:
        WSServerHandshakeError: the upgrade was refused.
        ClientError: there is no connection.
    """
    ws = await client.ws_connect(
        url,
        headers=headers,
        proxy=proxy,
        compress=COMPRESSION_BITS,
        max_msg_size=MAX_FRAME_BYTES,
        decode_text=False,
    )
    assert isinstance(ws, Upgraded)  # noqa: S101 - what the session is told to make
    return ws


class BackendSocket:
    """A socket of one conversation.

    Attributes:
        key: whose it is.
        known: what its last response left with the backend.
        used: whether it carried a request.
        idle_until: when it has been idle for too long, in the event loop's time.
    """

    def __init__(self, ws: Upgraded, key: tuple[str, int | None, str], age_s: float) -> None:
        self.key = key
        self.known: Known | None = None
        self.used = False
        self.idle_until = 0.0
        self._ws = ws
        self._until = asyncio.get_running_loop().time() + age_s
        self._waiting: _Started | None = None
        self._closed: SocketClosed | None = None
        self._aborted = False

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the answer to the upgrade."""
        return self._ws.upgrade_headers

    @property
    def good(self) -> bool:
        """Whether it can carry another request."""
        young = asyncio.get_running_loop().time() < self._until
        return young and not self._aborted and self._ws.connected

    def abort(self) -> bool:
        """Drop the connection; return whether there was one to drop."""
        if self._aborted:
            return False
        self._aborted = True
        self._ws.abort()
        if self._waiting is not None:
            self._waiting.close()
        return True

    async def send(self, content: bytes, silence_s: float) -> None:
        """Send a request.

        Raises:
            SocketClosed: it cannot be sent; the backend has nothing of it.
            UpstreamTimeout: the backend does not take it.
        """
        try:
            async with asyncio.timeout(silence_s):
                await self._ws.send_frame(content, aiohttp.WSMsgType.TEXT)
        except TimeoutError as error:
            raise UpstreamTimeout(FELL_SILENT) from error
        except (aiohttp.ClientError, OSError) as error:
            closed = SocketClosed()
            closed.unanswered = True
            raise closed from error

    async def receive(self, silence_s: float) -> list[Frame]:
        """Return the frames that are here, at least one, up to the end of a response.

        Raises:
            SocketClosed: there are no more.
            UpstreamTimeout: nothing came.
        """
        try:
            async with asyncio.timeout(silence_s):
                frames = [_frame(await self._next())]
        except TimeoutError as error:
            raise UpstreamTimeout(FELL_SILENT) from error
        while len(frames) < BATCH_FRAMES and frames[-1].event not in TERMINAL:
            waiting = _Started(self._ws.receive())
            if waiting.message is None:
                self._waiting = waiting
                break
            try:
                frames.append(_frame(waiting.message))
            except SocketClosed as closed:
                self._closed = closed
                break
        return frames

    async def _next(self) -> aiohttp.WSMessage:
        if self._closed is not None:
            raise self._closed
        if self._waiting is None:
            return await self._ws.receive()
        waiting, self._waiting = self._waiting, None
        return await waiting


class _Started:
    """A `receive` of which the first step was taken: done, where a message was here already.

    Attributes:
        message: what it gave, None where it still waits.
    """

    def __init__(self, receiving: Coroutine[Any, Any, aiohttp.WSMessage]) -> None:
        self._steps = receiving.__await__()
        self._waits_for: Any = None
        self.message: aiohttp.WSMessage | None = None
        try:
            self._waits_for = next(self._steps)
        except StopIteration as done:
            self.message = done.value

    def __await__(self) -> Generator[Any, Any, aiohttp.WSMessage]:
        try:
            yield self._waits_for
        except BaseException as error:
            self._steps.throw(error)
            raise
        return (yield from self._steps)

    def close(self) -> None:
        self._steps.close()


def _frame(message: aiohttp.WSMessage) -> Frame:
    if message.type is aiohttp.WSMsgType.TEXT:
        return frame_of(message.data)
    if message.type is aiohttp.WSMsgType.BINARY:
        return frame_of(bytes(message.data))
    raise SocketClosed(message.data if message.type is aiohttp.WSMsgType.CLOSE else 0)


class SocketReply(UpstreamReply):
    """A reply whose frames are the messages of a socket.

    Attributes:
        socket: that it comes over.
        first: whether the socket carried none before.
    """

    transport = "websocket"

    def __init__(
        self,
        socket: BackendSocket,
        conversation: Conversation,
        silence_s: float,
        keep: Callable[[BackendSocket], None],
        drop: Callable[[BackendSocket], None],
    ) -> None:
        """Expect a reply.

        Args:
            socket: that the request goes over.
            conversation: the request; the answer is added to it.
            silence_s: longest time without a message.
            keep: takes the socket of a complete reply.
            drop: takes any other.
        """
        super().__init__()
        self.socket = socket
        self._conversation = conversation
        self._silence_s = silence_s
        self._keep = keep
        self._drop = drop
        self._headers = dict(socket.headers)
        self._answers = False
        self._well = False
        self._stopped = False
        self._call: Call | None = None
        self.first = not socket.used
        socket.known, socket.used = None, True

    async def ask(self, content: bytes) -> None:
        """Send the request, and read ahead until the reply has begun.

        Raises:
            CodexiaError: the backend failed instead.
        """
        if call := noted_call(self.socket.key[0], {}, content, self.transport):
            self._call = call
            call.status, call.reply_headers = 200, self._headers
        await self.socket.send(content, self._silence_s)
        await self.hold()

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the upgrade, and above them what was said of this response."""
        return self._headers

    async def read(self) -> list[Piece]:
        """Return as the base says; the pieces are those that are here."""
        try:
            frames = await self.socket.receive(self._silence_s)
        except SocketClosed as closed:
            closed.unanswered = not self._answers
            if self._call is not None:
                self._call.reply.over("broken")
            raise
        if self._call is not None:
            self._call.reply.add_frames(frames)
        for frame in frames:
            self._note(frame)
        return pieces_of(frames)

    async def pour(self, take: Take) -> None:
        """Hand on as the base says."""
        while not self._stopped:
            blocked = take(await self.read())
            if blocked is not None:
                await blocked

    def stop_pouring(self) -> None:
        """Let `pour` return."""
        self._stopped = True

    def cancel(self) -> None:
        """Drop the socket."""
        self._drop(self.socket)

    async def release(self) -> None:
        """Let the conversation's next request have the socket of an answer that ended well.

        After an error nobody can tell what else comes over it.
        """
        (self._keep if self._well else self._drop)(self.socket)

    async def _answered(self) -> list[Piece]:
        return await self.read()

    def _note(self, frame: Frame) -> None:
        """Take from a frame what outlives the reply."""
        if frame.event == METADATA_EVENT:
            self._headers |= headers_in(frame.json())
        elif frame.event == ITEM_DONE:
            self._conversation.add(child_at(frame.json(), "item"))
        elif frame.event in TERMINAL:
            self.end = frame
            self._well = frame.event not in FAILED
            if frame.event in COMPLETED:
                self.socket.known = self._conversation.ended(response_id(frame.json()))
        self._answers = self._answers or frame.event.startswith("response.")

    def _failure(self, frame: Frame) -> CodexiaError:
        payload = frame.json()
        self._headers |= headers_in(payload)
        match error_code(payload):
            case code if code == FORGOTTEN:
                return Forgotten("the Codex backend forgot the response before this one")
            case code if code == EXPIRED:
                return Expired("the Codex backend takes no more requests on this connection")
            case _:
                return super()._failure(frame)
