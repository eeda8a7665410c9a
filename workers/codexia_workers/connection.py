"""One HTTP/1.1 connection to the backend, which carries one exchange at a time.

What an exchange needs is small (one POST, its answer read as it comes), and it is what every
event of every stream passes through, so it is our own and not a client library's. Bodies are
read in one of two ways: `read` gives the next bytes to a task that waits for them, `pour` hands
them to a callback within the very read of the socket, which wakes no task for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httptools

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from codexia.recordings.recording import End
    from codexia_workers.draft import NotedBody

HIGH_WATER_BYTES: Final = 256 * 1024
"""Nothing more is read from the backend while so much waits for its reader."""

MAX_HEADERS_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads, and by way of which proxy."""

    scheme: str
    host: str
    port: int
    proxy: str | None = field(default=None, repr=False)

    @property
    def secure(self) -> bool:
        """Whether it is spoken to by TLS."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


class ConnectionBroken(Exception):
    """The exchange cannot go on.

    Attributes:
        unanswered: whether not a byte of an answer had come.
    """

    def __init__(self, reason: str, *, unanswered: bool = False) -> None:
        super().__init__(reason)
        self.unanswered = unanswered


class Silence(ConnectionBroken):
    """Nothing came for as long as the exchange may be silent."""


class Connection(asyncio.Protocol):
    """A connection, and the exchange that it carries at the moment.

    Attributes:
        origin: where it leads.
        status: of the answer, 0 before there is one.
        headers: of the answer, names in lower case.
        reusable: whether another exchange may follow.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.reusable = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._broken: ConnectionBroken | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[bytes], Awaitable[None] | None] | None = None
        self._blocked: Awaitable[None] | None = None
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._paused = False
        self._noted: NotedBody | None = None
        self._fields: dict[str, str] = {}
        self._fields_bytes = 0
        self._busy = False
        self._answered = False
        self._ended = False
        self._silence_s = 0.0
        self._heard_at = 0.0
        self._watch: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether an exchange can begin."""
        return self._broken is None and not self._transport.is_closing()

    async def exchange(self, head: bytes, body: bytes, silence_s: float) -> None:
        """Send a request and return once the answer's headers are here.

        Args:
            head: request line and headers, with the blank line.
            body: of the length that the head says.
            silence_s: longest time without a byte, here and in what is read later.

        Raises:
            ConnectionBroken: there is no answer.
        """
        self.status, self.headers, self.reusable = 0, {}, False
        self._fields, self._fields_bytes = {}, 0
        self._answered = self._ended = False
        self._noted = None
        self._busy = True
        self._silence_s = silence_s
        self._heard_at = self._loop.time()
        self._watch = self._loop.call_later(silence_s, self._look)
        self._transport.writelines((head, body))
        while not self.status:
            await self._more()

    async def read(self) -> bytes:
        """Return the next bytes of the answer's body, b"" at its end.

        Raises:
            ConnectionBroken: there are no more, and it was not the end.
        """
        while not self._parts:
            if self._ended:
                return b""
            await self._more()
        return self._taken()

    async def pour(self, take: Callable[[bytes], Awaitable[None] | None]) -> None:
        """Hand the body to `take` as it comes, until `stop_pouring` or the body's end.

        Args:
            take: called with bytes. Where it gives something to wait for, nothing more is read
                until that is done. It must not raise.

        Raises:
            ConnectionBroken: there is no more, and it was not the end.
        """
        self._take = take
        try:
            self._deliver()
            while self._take is not None and not (self._ended and not self._parts):
                if self._blocked is not None:
                    await self._blocked
                    self._blocked = None
                    self._deliver()
                else:
                    await self._more()
        finally:
            self._take = None
            self._blocked = None

    def tell(self, noted: NotedBody) -> None:
        """Note the rest of this exchange's answer, and how it ends."""
        self._noted = noted
        if self._ended:
            noted.over("ended")
        elif self._broken is not None:
            noted.over(_end_of(self._broken))

    def stop_pouring(self) -> None:
        """Let `pour` return; what else comes is kept for `read`."""
        self._take = None
        self._wake()

    def close(self) -> None:
        """Drop the connection; the backend stops what it does for it."""
        self._unwatch()
        self._transport.abort()

    def finish(self) -> bool:
        """End the exchange; return whether the connection can carry another one."""
        self._unwatch()
        self._busy = False
        if self._ended and self.reusable and self.open and not self._parts:
            return True
        self.close()
        return False

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue]

    def data_received(self, data: bytes) -> None:
        """Parse what came, and hand on what of it is body."""
        if not self._busy:
            # An answer to nothing, e.g. that the backend waited too long for the next request.
            self._break(ConnectionBroken("the other side spoke first", unanswered=True))
            return
        self._heard_at = self._loop.time()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break(ConnectionBroken("the answer is not HTTP"))
            return
        self._deliver()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; for a body of no told length it is the end of that."""
        if self.status and not self._ended and self._until_close:
            self._ended = True
        reason = getattr(exc, "strerror", None) or "closed by the other side"
        self._break(ConnectionBroken(reason, unanswered=not self._answered))

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._fields_bytes += len(name) + len(value)
        if self._fields_bytes > MAX_HEADERS_BYTES:
            raise ValueError("headers over the size limit")
        self._fields[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Take the headers, unless they are of an interim answer."""
        self._answered = True
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self.headers = status, self._fields
        self._fields = {}

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body until the whole read is parsed."""
        self._parts.append(body)
        self._waiting_bytes += len(body)

    def on_message_complete(self) -> None:
        """Note the end of the body."""
        if self.status:
            self._ended = True
            if self._noted is not None:
                self._noted.over("ended")
            self.reusable = self._parser.should_keep_alive()

    # Within an exchange.

    @property
    def _until_close(self) -> bool:
        return "content-length" not in self.headers and "transfer-encoding" not in self.headers

    def _taken(self) -> bytes:
        parts, self._parts = self._parts, []
        self._waiting_bytes = 0
        if self._paused:
            self._paused = False
            self._heard_at = self._loop.time()
            self._transport.resume_reading()
        taken = parts[0] if len(parts) == 1 else b"".join(parts)
        if self._noted is not None:
            self._noted.add(taken)
        return taken

    def _deliver(self) -> None:
        """Give what is here to whoever takes it; stop reading where nobody does."""
        if self._take is not None and self._blocked is None and self._parts:
            self._blocked = self._take(self._taken())
            if self._blocked is None and not self._ended:
                return
        if self._waiting_bytes > HIGH_WATER_BYTES and not self._paused and self.open:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    async def _more(self) -> None:
        """Return once something happened.

        Raises:
            ConnectionBroken: and nothing more can.
        """
        if self._broken is not None:
            raise self._broken
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _break(self, reason: ConnectionBroken) -> None:
        self._broken = self._broken or reason
        if self._noted is not None:
            self._noted.over("ended" if self._ended else _end_of(reason))
        self._unwatch()
        self._transport.abort()
        self._wake()

    def _look(self) -> None:
        """Break the exchange if nothing came for too long; time that nobody read does not count."""
        now = self._loop.time()
        if self._paused or self._blocked is not None:
            self._heard_at = now
        due = self._heard_at + self._silence_s
        if now >= due:
            self._break(Silence("nothing came", unanswered=not self._answered))
        else:
            self._watch = self._loop.call_at(due, self._look)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None


def _end_of(reason: ConnectionBroken) -> End:
    return "silent" if isinstance(reason, Silence) else "broken"
