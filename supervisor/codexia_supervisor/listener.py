"""The listening socket that all generations of workers inherit.

The supervisor opens it, without SO_REUSEPORT, so that a port which somebody else serves is
an error here and not a port that two programs share by chance.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import Final

import orjson

from codexia.errors import CodexiaError
from codexia.http import httpx

BACKLOG: Final = 2048
PROBE_TIMEOUT_S: Final = 1.0


class BindFailed(CodexiaError):
    """The bind address cannot be had.

    Attributes:
        taken: whether somebody else has it.
    """

    def __init__(self, message: str, *, taken: bool) -> None:
        super().__init__(message)
        self.taken = taken


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket.

    Attributes:
        host: as configured.
        port: as configured; 0 leaves the choice to the kernel.
    """

    host: str
    port: int
    socket: socket.socket

    @property
    def bound_port(self) -> int:
        """The port in fact."""
        return self.socket.getsockname()[1]

    @property
    def address(self) -> str:
        """Host and port for people and URLs."""
        return f"{bracketed(self.host)}:{self.bound_port}"


class Listeners:
    """The listening sockets that are open, by configured address."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], Listener] = {}

    def get(self, address: tuple[str, int]) -> Listener | None:
        """Return the socket of an address, if it is open."""
        return self._open.get(address)

    def open(self, address: tuple[str, int]) -> Listener:
        """Return the socket of an address, opened now if need be.

        Raises:
            BindFailed: the address cannot be had.
        """
        if address not in self._open:
            self._open[address] = listen(*address)
        return self._open[address]

    def take(self, address: tuple[str, int], received: socket.socket) -> None:
        """Keep a socket that a generation handed over, unless its address is open already."""
        if address in self._open:
            received.close()
        else:
            self._open[address] = Listener(*address, received)

    def keep_only(self, addresses: set[tuple[str, int]]) -> None:
        """Close all others. Generations that inherited one have it still."""
        for address in self._open.keys() - addresses:
            self._open.pop(address).socket.close()


def listen(host: str, port: int) -> Listener:
    """Return a new listening socket.

    Raises:
        BindFailed: the address is taken or none of this host's.
    """
    where = f"{bracketed(host)}:{port}"
    try:
        family, address = _resolve(host, port)
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise BindFailed(f"cannot listen on {where}: {error.strerror}", taken=False) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by what is accepted. Without it the small send that ends a stream waits for the
        # ACK of the one before, which clients delay by 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        reason = "it is in use" if taken else error.strerror or "refused"
        raise BindFailed(f"cannot listen on {where}: {reason}", taken=taken) from error
    return Listener(host, port, listening)


async def who_listens(host: str, port: int) -> str:
    """Return what to tell a person about the program that has the address."""
    url = f"http://{bracketed(host)}:{port}/health"
    try:
        async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False) as http:
            health = orjson.loads((await http.get(url)).content)
    except (httpx.HTTPError, orjson.JSONDecodeError):
        health = None
    if isinstance(health, dict) and health.get("service") == "codexia":  # pyright: ignore[reportUnknownMemberType]
        return "another codexia answers there; stop that one, or pass another --bind HOST:PORT"
    return "stop the program that has it, or pass another --bind HOST:PORT"


def bracketed(host: str) -> str:
    """Return a host as URLs write it."""
    return f"[{host}]" if ":" in host else host


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Return where to bind. IPv4 goes first: clients that say 127.0.0.1 outnumber the rest."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return family, (str(address[0]), int(address[1]))
