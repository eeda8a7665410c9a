"""`/metrics` at an address of its own, where Prometheus needs no local key.

The supervisor has the sums, so it answers itself. It owns the login too, so it takes no more than
few, short connections with one small request each.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import httptools

from codexia.addresses import is_our_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.settings import Settings

logger = logging.getLogger("codexia.supervisor")

MAX_CONNECTIONS: Final = 32
PATIENCE_S: Final = 10.0
"""How long a connection may take for everything."""

MAX_HEAD_BYTES: Final = 16 * 1024
RETRY_S: Final = 2.0
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Listens where `metrics_bind` says, if it says anything.

    Attributes:
        problem: why it does not, "" when all is well.
    """

    def __init__(self, settings: Callable[[], Settings], metrics: Callable[[], bytes]) -> None:
        """Listen nowhere until `run`.

        Args:
            settings: in force.
            metrics: gives what is answered.
        """
        self.problem = ""
        self._settings = settings
        self._metrics = metrics
        self._changed = asyncio.Event()
        self._address: tuple[str, int] | None = None
        self._server: asyncio.Server | None = None
        self._open = 0

    def look(self) -> None:
        """See whether another address is wanted."""
        self._changed.set()

    async def run(self) -> None:
        """Serve for as long as the task lives."""
        try:
            while True:
                self._changed.clear()
                wanted = self._settings().metrics_address
                if wanted != self._address or self.problem:
                    await self._move(wanted)
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S if self.problem else None):
                        await self._changed.wait()
        finally:
            self._close()

    async def _move(self, address: tuple[str, int] | None) -> None:
        """Listen at an address and at no other."""
        self._close()
        before, self.problem = self.problem, ""
        self._address = address
        if address is None:
            return
        try:
            self._server = await asyncio.start_server(
                self._serve, *address, limit=MAX_HEAD_BYTES, backlog=MAX_CONNECTIONS
            )
        except OSError as error:
            self.problem = f"metrics_bind: cannot listen there: {error.strerror or error}"
            if self.problem != before:
                logger.error("%s", self.problem)  # noqa: TRY400 - the text says it all
        else:
            logger.info("metrics served host=%s port=%s", *address)

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then close."""
        if self._open >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(self._answer(await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open -= 1
            writer.transport.abort()

    def _answer(self, head: bytes) -> bytes:
        request = _Request()
        try:
            parser = httptools.HttpRequestParser(request)
            parser.feed_data(head)
            method = parser.get_method()
        except httptools.HttpParserError:
            return _reply("400 Bad Request", b"not HTTP\n")
        if not self._is_meant(request):
            return _reply("403 Forbidden", b"this host name is not served here\n")
        if request.target.partition(b"?")[0] != b"/metrics":
            return _reply("404 Not Found", b"only /metrics is served here\n")
        if method not in {b"GET", b"HEAD"}:
            return _reply("405 Method Not Allowed", b"only GET is served here\n")
        return _reply("200 OK", self._metrics(), with_body=method == b"GET")

    def _is_meant(self, request: _Request) -> bool:
        """Return whether no web page is behind a request; see the gate of the workers."""
        if len(request.hosts) != 1 or request.of_page or self._address is None:
            return False
        return is_our_name(request.hosts[0], self._address[0], self._settings().allowed_hosts)


class _Request:
    """What the parser told of a request."""

    def __init__(self) -> None:
        self.target = b""
        self.hosts: list[str] = []
        self.of_page = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"host":
                self.hosts.append(value.decode("latin-1"))
            case b"origin":
                self.of_page = True
            case b"sec-fetch-site":
                self.of_page |= value.lower() in {b"cross-site", b"same-site"}
            case _:
                pass


def _reply(status: str, body: bytes, *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {CONTENT_TYPE}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
