"""The two ports of the callback, which every login of this host wants."""

from __future__ import annotations

import fcntl
import socket
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codexia.oauth.authorize import CALLBACK_PORTS
from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


LOCK = Path(tempfile.gettempdir()) / "codexia-callback-ports.lock"


@contextmanager
def reserved_ports() -> Iterator[None]:
    """Have no other run of these tests use the ports, and wait until they are free."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wait_until(lambda: all(_is_free(port) for port in CALLBACK_PORTS), "the ports are free")
        yield


@contextmanager
def shared_ports() -> Iterator[None]:
    """Have no other run count on the ports: these tests may take them, or do without."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def taken(*ports: int, families: tuple[socket.AddressFamily, ...] = (socket.AF_INET,)):
    """Listen at these ports, as another program would."""
    with ExitStack() as stack:
        for port in ports:
            for family, address in LOOPBACK:
                if family in families:
                    stack.enter_context(_listener(family, address, port))
        yield


def has_ipv6() -> bool:
    """Return whether this host has a loopback address of IPv6."""
    try:
        _listener(*LOOPBACK[1], 0).close()
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    try:
        _listener(*LOOPBACK[0], port).close()
    except OSError:
        return False
    return True


def _listener(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    opened = socket.socket(family)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        opened.listen()
    except OSError:
        opened.close()
        raise
    return opened
