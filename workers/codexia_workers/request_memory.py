"""How much of a worker's memory the bodies of requests take, and a limit for that.

A body counts as it was read and again as it was decompressed, until its request is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia.errors import Overloaded

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from codexia_workers.worker import Worker


class Hold:
    """What one request, or one connection, takes."""

    def __init__(self, memory: RequestMemory) -> None:
        self._memory = memory
        self._bytes = 0

    def take(self, size_bytes: int) -> None:
        """Count some more.

        Raises:
            Overloaded: there is no room for it beside what other requests hold.
        """
        memory = self._memory
        others_bytes = memory.held_bytes - self._bytes
        # Alone, a request has room whatever the limit; else one could never be served.
        if others_bytes and memory.held_bytes + size_bytes > memory.limit_bytes:
            raise Overloaded(
                "the bodies of other requests take all the memory that there is for them; try "
                "again soon, or raise max_request_memory_mb",
                retry_after_s=1,
            )
        self._bytes += size_bytes
        memory.held_bytes += size_bytes

    def give_back(self) -> None:
        """Count nothing any more."""
        self._memory.held_bytes -= self._bytes
        self._bytes = 0


class RequestMemory:
    """Middleware that gives each request its `Hold`.

    Attributes:
        held_bytes: what all requests take.
    """

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self.held_bytes = 0
        self._app = app
        self._worker = worker

    @property
    def limit_bytes(self) -> int:
        """What they may take."""
        return self._worker.serving.snapshot.max_request_memory_mb * 2**20

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


def give_memory_back(scope: Scope) -> None:
    """Count nothing any more of a connection whose request is over."""
    if hold := scope["state"].get("memory"):
        hold.give_back()
