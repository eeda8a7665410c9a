"""A client that costs next to nothing while the clock runs.

It notes when each read came and what it held, finds the end of an answer by its last bytes, and
leaves all else for afterwards (`arrivals.py`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LAST_CHUNK = b"0\r\n\r\n"


@dataclass(slots=True)
class Exchange:
    """A request and what came back.

    Attributes:
        sent_at: when it was handed to the socket; this and `reads` in `time.perf_counter`'s seconds.
        reads: when, and what.
        reused: the connection had carried another exchange before.
    """

    sent_at: float
    reused: bool
    reads: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go."""

    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Target:
        """Return the parts of an http URL."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        return cls(parts.hostname, parts.port or 80, parts.path or "/")

    def request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return a POST as it goes on the wire."""
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"host: {self.host}:{self.port}",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """One connection; `send` may be called again once `on_answer` was.

    `on_answer` gets each exchange that ended, broken off or not, and whether the connection can
    take another.
    """

    def __init__(self, on_answer: Callable[[Connection, Exchange], None]) -> None:
        self.is_open = False
        self._on_answer = on_answer
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._is_used = False
        self._head_is_read = False
        self._is_chunked = False
        self._is_last = False
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self.is_open = True

    def send(self, request: bytes) -> None:
        """Send a request and start its clock."""
        assert self._transport is not None
        self._head_is_read = False
        self._exchange = Exchange(time.perf_counter(), self._is_used)
        self._is_used = True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Note a read."""
        now = time.perf_counter()
        exchange = self._exchange
        if exchange is None:
            return
        exchange.reads.append((now, data))
        if not self._head_is_read:
            self._read_head(exchange)
        elif not self._is_chunked:
            self._left -= len(data)
        if not self._head_is_read:
            return
        if self._is_chunked:
            if data.endswith(LAST_CHUNK) or (len(data) < len(LAST_CHUNK) and _ends(exchange)):
                self._end(exchange)
        elif self._left == 0:
            self._end(exchange)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - not needed
        """End an exchange that was under way: its answer had no other end, or broke off."""
        self.is_open = False
        if self._exchange is not None:
            self._end(self._exchange)

    def close(self) -> None:
        """Close; an exchange that is under way is forgotten."""
        self._exchange = None
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def _read_head(self, exchange: Exchange) -> None:
        content = b"".join(read for _, read in exchange.reads)
        head, end, body = content.partition(b"\r\n\r\n")
        if not end:
            return
        self._head_is_read = True
        head = head.lower()
        self._is_last = any(
            line.startswith(b"connection:") and b"close" in line for line in head.split(b"\r\n")
        )
        self._is_chunked = b"\r\ntransfer-encoding: chunked" in head
        _, found, rest = head.partition(b"\r\ncontent-length:")
        # Without either the answer ends with the connection; this never comes to zero.
        self._left = int(rest.split(b"\r\n")[0]) - len(body) if found else -1

    def _end(self, exchange: Exchange) -> None:
        self._exchange = None
        if self._is_last:  # there are servers that say so and then only stop to read
            self.close()
        self._on_answer(self, exchange)


def _ends(exchange: Exchange) -> bool:
    tail = b"".join(read for _, read in exchange.reads[-len(LAST_CHUNK) :])
    return tail.endswith(LAST_CHUNK)
