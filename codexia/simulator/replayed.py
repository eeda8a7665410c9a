"""Replies that were recorded elsewhere, played again byte by byte, cut where they were cut.

Once there were any, nothing is answered by the rules any more: a call of the backend beyond those
that were recorded gets a 410.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import web

from codexia.simulator.findings import detail_answer
from codexia.simulator.gate import rendered
from codexia.simulator.wire import abort, pause

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

BACKEND_PREFIX: Final = "/backend-api/codex/"
LENGTH_HEADERS: Final = frozenset(
    {"connection", "content-encoding", "content-length", "transfer-encoding"}
)


@dataclass(frozen=True, slots=True)
class RecordedReply:
    """A reply as it came.

    Attributes:
        status: 0 for none.
        parts: pause before each in seconds, and its bytes.
        end: `broken` for a connection that breaks, `silent` for one on which nothing more comes.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    parts: tuple[tuple[float, bytes], ...]
    end: Literal["ended", "broken", "silent", "left"]


class ReplayedReplies:
    """The recorded replies that are still to be played."""

    def __init__(self) -> None:
        self._replies: deque[RecordedReply] | None = None

    def add(self, reply: RecordedReply) -> None:
        """Play one more."""
        self._replies = self._replies or deque()
        self._replies.append(reply)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer calls of the backend by what was recorded, once there is anything."""
        replies = self._replies
        is_call = request.method == "POST" and request.path.startswith(BACKEND_PREFIX)
        if replies is None or not is_call:
            return await handler(request)
        await request.read()
        if not replies:
            return rendered(detail_answer("no further reply was recorded", 410))
        return await _play(replies.popleft(), request)


async def _play(reply: RecordedReply, request: web.Request) -> web.StreamResponse:
    headers = [each for each in reply.headers if each[0].lower() not in LENGTH_HEADERS]
    stream = web.StreamResponse(status=reply.status or 200, headers=headers)
    if reply.status:
        await stream.prepare(request)
        for pause_s, part in reply.parts:
            await asyncio.sleep(pause_s)
            await stream.write(part)
    if reply.end == "silent":
        await pause(None)
    if reply.end == "broken" or not reply.status:
        await abort(request.transport, reset=False)
    return stream
