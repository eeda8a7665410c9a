"""What the service manager is told: ready, stopping, still alive.

The protocol of sd_notify(3): lines of assignments in a datagram to the socket that the
environment names. Without one, nothing is sent.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, MutableMapping

STOPPING_EVERY_S: Final = 5.0
STOPPING_EXTENSION_S: Final = 20.0


class Notifier:
    """The way to the service manager that started this process, if one did.

    Attributes:
        managed: whether there is one.
        watchdog_s: it takes us for hung when it hears nothing for so long; None if it does not.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Take over from the environment what is meant for this process alone.

        A generation that inherited it would speak for us.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        period_us = environ.pop("WATCHDOG_USEC", "")
        watched = environ.pop("WATCHDOG_PID", "") in {"", str(os.getpid())}
        self.managed = address.startswith(("/", "@"))
        self.watchdog_s = (
            int(period_us) / 1e6 if self.managed and watched and period_us.isdigit() else None
        )
        self._ready: tuple[str, ...] = ()
        # A name that begins with @ is of the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self, status: str) -> None:
        """Tell that requests are served, and what to say of us."""
        self._ready = "READY=1", f"STATUS={status}"
        self._send(*self._ready)

    @contextmanager
    def reloading(self) -> Generator[None]:
        """Tell that the settings are read anew while the context lasts."""
        if not self._ready:
            yield
            return
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        yield
        self._send(*self._ready)

    def stopping(self, status: str) -> None:
        """Tell that the end has begun, and that it may take its time."""
        self._send("STOPPING=1", f"STATUS={status}", _extension())

    async def watch(self) -> None:
        """Tell again and again that the event loop turns, until cancelled."""
        if self.watchdog_s is None:
            return
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)

    async def extend(self) -> None:
        """Ask for more time again and again, until cancelled."""
        while self.managed:
            self._send(_extension())
            await asyncio.sleep(STOPPING_EVERY_S)

    def _send(self, *assignments: str) -> None:
        if not self.managed:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram, suppress(OSError):
            # A manager that does not read must not stop us.
            datagram.setblocking(False)
            datagram.sendto("\n".join(assignments).encode(), self._address)


def _extension() -> str:
    return f"EXTEND_TIMEOUT_USEC={int(STOPPING_EXTENSION_S * 1e6)}"
