"""The connections to the backend: opened when needed, kept for the next exchange for a while."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from codexia.errors import BadRequest
from codexia_workers.connecting import connect, proxy_authorization
from codexia_workers.connection import ConnectionBroken, Origin, Silence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia_workers.connection import Connection

KEEP_S: Final = 60.0
"""How long a connection is kept that nothing uses; most servers close them later than that."""


class Pool:
    """Connections by origin; the one used last is used next, so that the others can age."""

    def __init__(self) -> None:
        self._idle: dict[Origin, list[tuple[float, Connection]]] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        silence_s: float,
        proxy: str | None = None,
    ) -> Connection:
        """Return a connection that has the headers of the answer; `release` takes it back.

        Raises:
            NoConnection: there is none to be had.
            ConnectionBroken: there was no answer.
        """
        origin, target = _parsed(url, proxy)
        head = _head(origin, target, headers, len(body))
        kept = self._kept(origin)
        if kept is not None:
            try:
                return await _exchange(kept, head, body, silence_s)
            except ConnectionBroken as error:
                # Closed by the other side at the instant when we took it. What it has not begun
                # to answer it may get again, on a fresh connection.
                if not error.unanswered or isinstance(error, Silence):
                    raise
        return await _exchange(await connect(origin), head, body, silence_s)

    def release(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end; drop any other."""
        if not connection.finish():
            return
        loop = asyncio.get_running_loop()
        kept = self._idle.setdefault(connection.origin, [])
        kept.append((loop.time() + KEEP_S, connection))
        if self._sweeping is None:
            self._sweeping = loop.call_later(KEEP_S, self._sweep)

    def close(self) -> None:
        """Close what is idle."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for idle in self._idle.values():
            for _, connection in idle:
                connection.close()
        self._idle.clear()

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin, [])
        while idle:
            _, connection = idle.pop()
            if connection.open:
                return connection
        return None

    def _sweep(self) -> None:
        """Close what was idle for too long, and forget what was closed."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for origin, idle in tuple(self._idle.items()):
            for until, connection in idle:
                if until <= now:
                    connection.close()
            self._idle[origin] = [each for each in idle if each[0] > now and each[1].open]
            if not self._idle[origin]:
                del self._idle[origin]
        self._sweeping = loop.call_later(KEEP_S, self._sweep) if self._idle else None


async def _exchange(
    connection: Connection, head: bytes, body: bytes, silence_s: float
) -> Connection:
    try:
        await connection.exchange(head, body, silence_s)
    except BaseException:
        connection.close()
        raise
    return connection


@lru_cache(maxsize=16)
def _parsed(url: str, proxy: str | None) -> tuple[Origin, str]:
    """Return where an address leads, and the request target there."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    origin = Origin(
        parts.scheme, parts.hostname or "", parts.port or (443 if secure else 80), proxy
    )
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    # A proxy that is not asked for a tunnel takes the whole address.
    return origin, target if secure or proxy is None else f"http://{origin.authority}{target}"


def _head(origin: Origin, target: str, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"POST {target} HTTP/1.1", f"host: {origin.authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if origin.proxy is not None and not origin.secure:
        lines += proxy_authorization(origin.proxy)
    lines.append(f"content-length: {length}\r\n\r\n")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) + 1:
        raise BadRequest("a header holds a line break")
    return head.encode("latin-1", "replace")
