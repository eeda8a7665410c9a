"""The WebSockets of a worker: which are open, and how they end when it has to stop.

Granian drops its WebSockets the moment that it is told to stop, in the middle of a turn too. So
they are closed before it is told: each when its turn is over, with a code that lets the client
come back to whoever serves then.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Sockets:
    """The open WebSockets of one worker.

    Attributes:
        leaving: they close as soon as they are idle, and no new ones are taken.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._wakers: set[Callable[[], None]] = set()
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    @contextmanager
    def open(self, wake: Callable[[], None]) -> Generator[None]:
        """Count a WebSocket as open for as long as the context lasts.

        Args:
            wake: makes it look at `leaving` if it is idle.
        """
        self._wakers.add(wake)
        self._all_closed.clear()
        try:
            yield
        finally:
            self._wakers.discard(wake)
            if not self._wakers:
                self._all_closed.set()

    async def close_all(self) -> None:
        """Return once the last turn is over and every WebSocket is closed."""
        self.leaving = True
        for wake in tuple(self._wakers):
            wake()
        await self._all_closed.wait()
