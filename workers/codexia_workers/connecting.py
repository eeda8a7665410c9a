"""From an address to a connection: name lookup, proxy, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from functools import cache
from typing import Final
from urllib.parse import unquote, urlsplit

import aiohappyeyeballs

from codexia_workers.connection import Connection, Origin

CONNECT_TIMEOUT_S: Final = 15.0
SECOND_FAMILY_AFTER_S: Final = 0.25
"""A host whose IPv6 leads nowhere costs this much, and not a timeout."""

MAX_PROXY_REPLY_BYTES: Final = 64 * 1024


class NoConnection(Exception):
    """The other side cannot be reached; the message says why, without addresses."""


async def connect(origin: Origin) -> Connection:
    """Return a new connection.

    Raises:
        NoConnection: it cannot be had.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if origin.proxy is None:
                sock = await _dial(origin.host, origin.port)
            else:
                sock = await _dial_proxy(origin, origin.proxy)
            return await _wrap(sock, origin)
    except TimeoutError as error:
        raise NoConnection("connecting timed out") from error
    except ssl.SSLError as error:
        raise NoConnection(f"TLS failed: {error.reason or 'no reason given'}") from error
    except OSError as error:
        raise NoConnection(error.strerror or type(error).__name__) from error


def proxy_authorization(proxy: str) -> list[str]:
    """Return the header lines that a proxy asks for, none where its address has no user."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return []
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return [f"proxy-authorization: Basic {b64encode(user.encode()).decode()}"]


async def _dial(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sock = await aiohappyeyeballs.start_connection(  # pyright: ignore[reportUnknownMemberType]
        found, happy_eyeballs_delay=SECOND_FAMILY_AFTER_S, interleave=1, loop=loop
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def _dial_proxy(origin: Origin, proxy: str) -> socket.socket:
    """Return a connection to the proxy, with a tunnel through it where TLS is to follow."""
    parts = urlsplit(proxy)
    if parts.scheme != "http":
        raise NoConnection(f"{parts.scheme}:// proxies are not supported; use an http:// one")
    sock = await _dial(parts.hostname or "", parts.port or 80)
    if not origin.secure:
        return sock
    try:
        await _open_tunnel(sock, f"{origin.host}:{origin.port}", proxy_authorization(proxy))
    except BaseException:
        sock.close()
        raise
    return sock


async def _open_tunnel(sock: socket.socket, target: str, authorization: list[str]) -> None:
    loop = asyncio.get_running_loop()
    lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}", *authorization, "\r\n"]
    await loop.sock_sendall(sock, "\r\n".join(lines).encode("latin-1"))
    reply = b""
    while b"\r\n\r\n" not in reply:
        # Nothing of TLS can follow in the same read: there the client speaks first.
        chunk = await loop.sock_recv(sock, 4096)
        reply += chunk
        if not chunk or len(reply) > MAX_PROXY_REPLY_BYTES:
            raise NoConnection("the proxy broke off")
    status = reply.split(b" ", 2)[1] if reply.startswith(b"HTTP/1.") else b"nothing"
    if not status.startswith(b"2"):
        raise NoConnection(f"the proxy answered {status[:3].decode('latin-1')}")


async def _wrap(sock: socket.socket, origin: Origin) -> Connection:
    try:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(origin),
            sock=sock,
            ssl=_tls() if origin.secure else None,
            server_hostname=origin.host if origin.secure else None,
        )
    except BaseException:
        sock.close()
        raise
    return connection


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
