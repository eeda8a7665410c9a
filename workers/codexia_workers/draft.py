"""An exchange that is being recorded: what was read and sent so far, as bytes with times.

Whoever talks to the backend finds it by `noted_call`, since it belongs to the request's task.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from codexia.recordings.recording import MAX_EXCHANGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.types import Message, Send

    from codexia.recordings.recording import End
    from codexia.sse import Frame

CURRENT: Final[ContextVar[Draft | None]] = ContextVar("draft", default=None)
"""Of the request that the running task serves; None where it is not recorded."""


def noted_call(
    target: str, headers: Mapping[str, str], content: bytes, transport: str = "http"
) -> Call | None:
    """Return where a call to the backend is noted that begins now; None where it is not."""
    draft = CURRENT.get()
    return None if draft is None else draft.call(target, headers, content, transport)


class NotedBody:
    """A body as it came or went.

    Attributes:
        parts: when, by `time.perf_counter`, and what.
        end: how it ended.
    """

    def __init__(self, draft: Draft) -> None:
        self.parts: list[tuple[float, bytes]] = []
        self.end: End | None = None
        self._draft = draft

    def add(self, content: bytes) -> None:
        """Note a part."""
        if content and self._draft.has_room(len(content)):
            self.parts.append((time.perf_counter(), content))

    def add_frames(self, frames: Iterable[Frame]) -> None:
        """Note messages of a WebSocket as the events that they would be in a stream."""
        self.add(b"".join(b"event: %b\ndata: %b\n\n" % (e.event.encode(), e.data) for e in frames))

    def over(self, end: End) -> None:
        """Note how it ended; what is said first counts."""
        self.end = self.end or end


class Call:
    """A call to the backend."""

    def __init__(
        self, draft: Draft, target: str, headers: Mapping[str, str], content: bytes, transport: str
    ) -> None:
        self.began = time.perf_counter()
        self.transport = transport
        self.target = target
        self.headers = headers
        self.content = content
        self.status = 0
        self.reply_headers: Mapping[str, str] = {}
        self.reply = NotedBody(draft)

    def answered(self, status: int, headers: Mapping[str, str]) -> NotedBody:
        """Note the head of an answer; return where its body is to be noted."""
        self.status, self.reply_headers = status, headers
        return self.reply


class Draft:
    """An exchange with a client.

    Attributes:
        spoiled: whether it is too large, or there is no room for it; nothing more is noted.
        size_bytes: of what is noted.
    """

    def __init__(self, take_room: Callable[[int], bool]) -> None:
        self.at = time.time()
        self.began = time.perf_counter()
        self.spoiled = False
        self.size_bytes = 0
        self.request = NotedBody(self)
        self.calls: list[Call] = []
        self.status = 0
        self.reply_headers: list[tuple[bytes, bytes]] = []
        self.reply = NotedBody(self)
        self._take_room = take_room

    def has_room(self, size_bytes: int) -> bool:
        """Return whether so much more may be noted."""
        if self.spoiled:
            return False
        if self.size_bytes + size_bytes > MAX_EXCHANGE_BYTES or not self._take_room(size_bytes):
            self.spoiled = True
            self.request.parts, self.reply.parts, self.calls = [], [], []
            return False
        self.size_bytes += size_bytes
        return True

    def call(
        self, target: str, headers: Mapping[str, str], content: bytes, transport: str
    ) -> Call | None:
        """Return where a call is noted that begins now; None if there is no room for it."""
        if not self.has_room(len(content)):
            return None
        self.calls.append(Call(self, target, headers, content, transport))
        return self.calls[-1]

    def noting(self, send: Send) -> Send:
        """Return a `send` that notes what it sends."""

        # Not a coroutine of its own: a send of the hot path is to be done within its first step.
        def send_noting(message: Message) -> Awaitable[None]:
            self._note(message)
            return send(message)

        return send_noting

    def _note(self, message: Message) -> None:
        kind: Any = message["type"]
        if kind == "http.response.start":
            self.status, self.reply_headers = message["status"], list(message.get("headers", ()))
        elif kind == "http.response.body":
            self.reply.add(message.get("body", b""))
            if not message.get("more_body", False):
                self.reply.over("ended")
        elif kind == "websocket.send":
            self.reply.add(b"data: %b\n\n" % message["text"].encode())
