"""The hot path: frames of the backend to events of the client, one send per read."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeAlias

from codexia.codex.runs import after_two, frames_of
from codexia.errors import CodexiaError, UpstreamError
from codexia.sse import frames_in
from codexia_workers.sending import at_once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from starlette.types import Send

    from codexia.codex.runs import Piece
    from codexia.dialects.dialect import Dialect, ReplyStream, Splice, Translation
    from codexia.sse import Encodable, Event
    from codexia_workers.answers import Headers
    from codexia_workers.reply import UpstreamReply

logger = logging.getLogger("codexia.stream")

Keep: TypeAlias = "Callable[[dict[str, Any]], Awaitable[None]]"
"""Stores a whole answer; never fails."""


class StreamedAnswer:
    """Pumps one reply to its client."""

    def __init__(
        self, send: Send, dialect: Dialect, translation: Translation, keep: Keep | None = None
    ) -> None:
        self._send = send
        self._encode = dialect.encode
        self._ping = dialect.ping
        self._turn = Turn(translation.reply, translation.splice)
        self._collector = translation.collector
        self._keep = keep
        self._loop = asyncio.get_running_loop()
        self._sent_at = 0.0

    @property
    def failure(self) -> CodexiaError | None:
        """What ended the stream early, None while all is well."""
        return self._turn.failure

    async def run(
        self, upstream: UpstreamReply | None, headers: Headers, ping_interval_s: float
    ) -> None:
        """Send the whole stream.

        Args:
            upstream: the reply, begun; None when the translation answers by itself.
            headers: response headers.
            ping_interval_s: longest silence that the client is left in.
        """
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        self._sent_at = self._loop.time()
        last = self._turn.begin(upstream)
        if last and not self._turn.ended:
            await self._send_events(last, more=True)
        async with asyncio.TaskGroup() as group:
            keeping_alive = group.create_task(self._keep_alive(ping_interval_s))
            if upstream is not None and not self._turn.ended:
                last = await self._pour(upstream)
            if self._keep is not None and self.failure is None:
                last = await self._kept(self._keep, last)
            keeping_alive.cancel()
        await self._send_events(last, more=False)

    async def _pour(self, upstream: UpstreamReply) -> list[Encodable]:
        """Send all further events but the last batch; return that.

        A send happens within the read that brought its events, and no task wakes up for it,
        unless the server asks to wait.
        """
        turn = self._turn
        last: list[Encodable] = []

        def take(pieces: list[Piece]) -> Awaitable[None] | None:
            nonlocal last
            events = turn.feed(pieces)
            if turn.ended:
                last = events
                upstream.stop_pouring()
                return None
            return at_once(self._send_events(events, more=True)) if events else None

        try:
            await upstream.pour(take)
        except CodexiaError as error:
            last = turn.fail(error)
        return last

    async def _kept(self, keep: Keep, events: list[Encodable]) -> list[Encodable]:
        """Store the answer before its client reads that it is complete; return what is left."""
        earlier, terminal = without_terminal(events)
        if earlier:
            await self._send_events(earlier, more=True)
        self._collector.add(terminal)
        await keep(self._collector.result())
        return [terminal]

    def _send_events(self, events: list[Encodable], *, more: bool) -> Awaitable[None]:
        self._sent_at = self._loop.time()
        body = self._encode(events)
        return self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _keep_alive(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(self._sent_at + interval_s - self._loop.time())
            if self._loop.time() - self._sent_at >= interval_s:
                self._sent_at = self._loop.time()
                await self._send(
                    {"type": "http.response.body", "body": self._ping, "more_body": True}
                )


class Turn:
    """Frames in, events out: one reply with its end, whatever that is.

    Attributes:
        ended: whether its terminal event is among what was returned.
        failure: what ended it early, None while all is well.
    """

    def __init__(self, reply: ReplyStream, splice: Splice | None = None) -> None:
        self.ended = False
        self.failure: CodexiaError | None = None
        self._reply = reply
        self._splice = splice

    def begin(self, upstream: UpstreamReply | None) -> list[Encodable]:
        """Return the first events; without a backend they are all."""
        events: list[Encodable] = [*self._reply.start()]
        if upstream is None:
            self.ended = True
            return events
        return [*events, *self.feed(upstream.ahead)]

    def feed(self, pieces: Iterable[Piece]) -> list[Encodable]:
        """Return the events that pieces cause."""
        reply = self._reply
        events: list[Encodable] = []
        try:
            for piece in pieces:
                if isinstance(piece, bytes):
                    self._take_run(piece, events)
                else:
                    events += reply.feed(piece)
                if reply.ended:
                    self.ended = True
                    break
        except CodexiaError as error:
            events += self.fail(error)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # An event of a shape that the translation does not expect. The client must still
            # get its terminal event.
            logger.exception("translation failed")
            error = UpstreamError("the Codex backend sent an event of an unknown shape")
            events += self.fail(error)
        return events

    def _take_run(self, run: bytes, events: list[Encodable]) -> None:
        """Add the events of a run; as it stands, once it is known what its deltas look like."""
        splice = self._splice
        body = splice(run) if splice else None
        if body is None and splice:
            # The first two tell what the others look like.
            cut = after_two(run)
            self._decode(run[:cut], events)
            run = run[cut:]
            body = splice(run) if run else None
        if body is not None:
            events.append(body)
        else:
            self._decode(run, events)

    def _decode(self, run: bytes, events: list[Encodable]) -> None:
        for frame in frames_in(run):
            events += self._reply.feed(frame)

    def fail(self, failure: CodexiaError) -> list[Encodable]:
        """Return the events that end the reply early."""
        self.ended = True
        self.failure = failure
        return [*self._reply.fail(failure)]


def without_terminal(events: Sequence[Encodable]) -> tuple[list[Encodable], Event]:
    """Return the last batch of a reply in two: what is before its terminal event, and that."""
    *earlier, terminal = events
    assert not isinstance(terminal, bytes)  # noqa: S101 - only deltas are spliced
    return earlier, terminal


async def pump(
    translation: Translation,
    upstream: UpstreamReply | None,
    send: Callable[[list[Encodable]], Awaitable[None]],
) -> tuple[list[Encodable], CodexiaError | None]:
    """Send all events of a reply but the last batch; return that, and what ended it early."""
    turn = Turn(translation.reply, translation.splice)
    events = turn.begin(upstream)
    while upstream is not None and not turn.ended:
        if events:
            await send(events)
        try:
            events = turn.feed(await upstream.read())
        except CodexiaError as error:
            events = turn.fail(error)
    return events, turn.failure


async def collect(translation: Translation, upstream: UpstreamReply | None) -> dict[str, Any]:
    """Return the whole answer of a reply, from the same events that a stream would have.

    Raises:
        CodexiaError: the reply broke off, or is the backend's failure.
    """
    reply, collector = translation.reply, translation.collector
    for event in reply.start():
        collector.add(event)
    pieces = upstream.ahead if upstream else []
    while True:
        for frame in frames_of(pieces):
            for event in reply.feed(frame):
                collector.add(event)
            if reply.ended:
                break
        if reply.ended or upstream is None:
            return collector.result()
        pieces = await upstream.read()
