"""How much of a worker's memory the bodies of requests take, and a limit for that.

A body counts as it was read, again as it was decompressed, and by what it takes decoded, until its
request is over.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from codexia.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send


class Hold:
    """What one request, or one connection, takes."""

    def __init__(self, memory: RequestMemory) -> None:
        self._memory = memory
        self._bytes = 0

    @property
    def room_bytes(self) -> float:
        """How much more there is room for beside what other requests hold."""
        memory = self._memory
        # Alone, a request has room whatever the limit; else one could never be served.
        is_alone = memory.held_bytes == self._bytes
        return math.inf if is_alone else memory.limit_bytes - memory.held_bytes

    def check(self, size_bytes: int) -> None:
        """Return if there is room for some more.

        Raises:
            Overloaded: there is none beside what other requests hold.
        """
        if size_bytes > self.room_bytes:
            raise Overloaded(
                "the bodies of other requests take all the memory that there is for them; try "
                "again soon, or raise max_request_memory_mb",
                retry_after_s=1,
            )

    def take(self, size_bytes: int) -> None:
        """Count some more.

        Raises:
            Overloaded: there is no room for it.
        """
        self.check(size_bytes)
        self._bytes += size_bytes
        self._memory.held_bytes += size_bytes

    def give_back(self) -> None:
        """Count nothing any more."""
        self._memory.held_bytes -= self._bytes
        self._bytes = 0


class RequestMemory:
    """Middleware that gives each request its `Hold`.

    Attributes:
        held_bytes: what all requests take.
    """

    def __init__(self, app: ASGIApp, limit_mb: Callable[[], int]) -> None:
        """Hold nothing yet; `limit_mb` gives what all requests may take now."""
        self.held_bytes = 0
        self._app = app
        self._limit_mb = limit_mb

    @property
    def limit_bytes(self) -> int:
        """What they may take."""
        return self._limit_mb() * 2**20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        hold = Hold(self)
        scope.setdefault("state", {})["memory"] = hold
        try:
            await self._app(scope, receive, send)
        finally:
            hold.give_back()


def hold_memory(scope: Scope, size_bytes: int) -> None:
    """Count bytes of a request's body.

    Raises:
        Overloaded: there is no room for them.
    """
    if hold := scope["state"].get("memory"):
        hold.take(size_bytes)


def check_memory(scope: Scope, size_bytes: int) -> None:
    """Return if there is room for some more.

    Raises:
        Overloaded: there is none.
    """
    if hold := scope["state"].get("memory"):
        hold.check(size_bytes)


def room_for(scope: Scope) -> float:
    """Return how many bytes more a request may take."""
    hold: Hold | None = scope["state"].get("memory")
    return math.inf if hold is None else hold.room_bytes


def give_memory_back(scope: Scope) -> None:
    """Count nothing any more of a connection whose request is over."""
    if hold := scope["state"].get("memory"):
        hold.give_back()
