"""A reply of the backend, whichever way it came: held until it is an answer, then read.

A reply counts as begun when its first content event is here. What goes wrong before that
is a real error with a real status.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from codexia.codex.events import FAILED, is_content
from codexia.codex.failures import failure_of_event
from codexia.codex.upstream import LIMITS_EVENT
from codexia.errors import UpstreamTruncated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from codexia.codex.runs import Piece
    from codexia.errors import CodexiaError
    from codexia.sse import Frame

Take: TypeAlias = "Callable[[list[Piece]], Awaitable[None] | None]"

HOLD_LIMIT_S: Final = 30.0
"""Longest wait for content after the backend's first sign. Then the client gets its status line,
because many clients and proxies give up after 60 s without one."""

ENDED_EARLY: Final = "the Codex backend closed the stream before its end"
BROKE: Final = "the connection to the Codex backend broke"
FELL_SILENT: Final = "the Codex backend stopped sending"


class NotByWebSocket(Exception):
    """The request is to go over HTTP; the message says why."""


class UpstreamReply(ABC):
    """A reply, begun or about to.

    Attributes:
        transport: how it comes, for the log.
        ahead: pieces that were read before the reply counted as begun.
        end: the terminal event, None until it has been read.
    """

    transport: ClassVar[str]

    def __init__(self) -> None:
        self.ahead: list[Piece] = []
        self.end: Frame | None = None
        self._limits: Frame | None = None

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """The reply's headers, names in lower case."""

    @abstractmethod
    async def read(self) -> list[Piece]:
        """Return the pieces that come next, maybe none.

        Raises:
            UpstreamTruncated: the connection broke or ended before a terminal event.
            UpstreamTimeout: nothing came for `upstream_idle_timeout_s`.
        """

    @abstractmethod
    async def pour(self, take: Take) -> None:
        """Hand further pieces to `take` as they come, until `stop_pouring`.

        Args:
            take: where it gives something to wait for, nothing more is read until that is done.

        Raises:
            UpstreamTruncated: the connection broke or ended before a terminal event.
            UpstreamTimeout: nothing came for `upstream_idle_timeout_s`.
        """

    @abstractmethod
    def stop_pouring(self) -> None:
        """Let `pour` return."""

    @abstractmethod
    def cancel(self) -> None:
        """Drop the connection, which tells the backend to stop generating."""

    @abstractmethod
    async def release(self) -> None:
        """Let others have the connection of a reply that is complete, if it is still good."""

    @abstractmethod
    async def _answered(self) -> list[Piece]:
        """Return the first pieces, maybe none, once the backend took the request.

        Raises:
            CodexiaError: it did not.
        """

    async def hold(self) -> None:
        """Read ahead until the reply has begun.

        Raises:
            CodexiaError: the backend failed instead.
        """
        begun = self._begun(await self._answered())
        try:
            async with asyncio.timeout(HOLD_LIMIT_S):
                while not begun:
                    begun = self._begun(await self.read())
        except TimeoutError:
            return

    def _begun(self, pieces: list[Piece]) -> bool:
        self.ahead += pieces
        for frame in pieces:
            if isinstance(frame, bytes):
                return True
            if frame.event == LIMITS_EVENT:
                self._limits = frame
            if frame.event in FAILED:
                raise self._failure(frame)
            if is_content(frame.event):
                return True
        return False

    def _failure(self, frame: Frame) -> CodexiaError:
        return failure_of_event(frame.json(), self.headers)

    def failure(self) -> CodexiaError | None:
        """Return what the backend ended the reply with, None where it ended well or not yet."""
        if self.end is None or self.end.event not in FAILED:
            return None
        try:
            return failure_of_event(self.end.json(), self.headers)
        except UpstreamTruncated as error:
            return error

    def limits_event(self) -> dict[str, Any]:
        """Return what the backend said of limits before any content; empty if it said nothing."""
        try:
            return self._limits.json() if self._limits else {}
        except UpstreamTruncated:
            return {}
