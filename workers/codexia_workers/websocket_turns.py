"""The turns of a WebSocket: a `response.create` in, the events of one response out."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.codex.payload import child_at
from codexia.codex.upstream import PASSED_HEADERS
from codexia.codex.usage import Usage
from codexia.dialects.params import Param
from codexia.dialects.responses import RESPONSES
from codexia.dialects.responses_defaults import usage_object
from codexia.errors import BadRequest, CodexiaError, Overloaded, error_headers, openai_envelope
from codexia.sse import Frame, frames_in
from codexia_workers.access_log import tell
from codexia_workers.body import decode_json
from codexia_workers.generate import complete_error, context_of
from codexia_workers.request_memory import give_memory_back, hold_memory
from codexia_workers.request_record import RequestRecord
from codexia_workers.stream import pump, without_terminal
from codexia_workers.upstream import open_reply
from codexia_workers.websocket_history import ConnectionHistory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope, Send

    from codexia.codex.payload import Json
    from codexia.dialects.dialect import Translation
    from codexia.sse import Encodable, Event
    from codexia_workers.worker import Worker

CREATE: Final = "response.create"


class Turns:
    """Answers the messages of one connection, one at a time."""

    def __init__(self, worker: Worker, scope: Scope, send: Send) -> None:
        self._worker = worker
        self._scope = scope
        self._send = send
        self._history = ConnectionHistory(worker.responses)
        self._count = 0

    async def take(self, content: bytes) -> None:
        """Answer one message."""
        self._count += 1
        request_id = f"{self._scope['state']['request_id']}{self._count:04x}"
        record = self._scope["state"]["record"] = RequestRecord("websocket")
        recordings = self._worker.recordings
        if not recordings.wanted:
            await self._take(content, request_id, record, self._send)
            return
        with recordings.noting() as draft:
            draft.request.add(content)
            try:
                await self._take(content, request_id, record, draft.noting(self._send))
            finally:
                draft.status = record.status
                draft.reply.over("ended" if record.status else "left")
                recordings.keep(draft, self._scope, record, request_id)

    async def _take(
        self, content: bytes, request_id: str, record: RequestRecord, send: Send
    ) -> None:
        writer = TurnWriter(send)
        try:
            hold_memory(self._scope, len(content))
            await self._answer(decode_json(content, self._scope), request_id, writer, record)
        except CodexiaError as error:
            record.refused(error.status, error)
            await writer.error(error)
        finally:
            give_memory_back(self._scope)
            tell(self._worker, self._scope, record, request_id)

    async def _answer(
        self, message: dict[str, Any], request_id: str, writer: TurnWriter, record: RequestRecord
    ) -> None:
        """Send the events of one response."""
        asked = Param(message)
        writer.lane(asked["stream_id"].optional_text())
        if asked["type"].text() != CREATE:
            raise BadRequest(
                f"'{asked['type'].text()}' is not served here, only '{CREATE}'",
                code="unknown_event",
                param="type",
            )
        self._worker.observed.requested("websocket")
        # The connection may be older than an edit; a turn is as a request would be.
        serving = self._scope["state"]["serving"] = self._worker.serving
        context = context_of(self._scope, self._worker, request_id)
        context = replace(context, headers={**context.headers, **_headers_in(message)})
        context = await self._history.recall(message, self._scope, context)
        translation = RESPONSES.translate({**message, "stream": True}, context)
        record.model = translation.model
        only_prepare = asked["generate"].present and not asked["generate"].flag()
        try:
            if only_prepare:
                last, failure = translation.reply.feed(_nothing_generated()), None
            else:
                async with open_reply(self._worker, translation.request, self._scope) as upstream:
                    last, failure = await pump(translation, upstream, writer.events)
                    self._worker.observed.answered(translation, upstream)
        except CodexiaError as error:
            complete_error(error, translation, serving.models)
            raise
        earlier, terminal = without_terminal(last)
        await writer.events(earlier)
        if failure is None:
            await self._remember(translation, terminal)
        await writer.events([terminal])
        record.status, record.first_at = 200, writer.first_at
        record.answered(translation, failure)

    async def _remember(self, translation: Translation, terminal: Event) -> None:
        """Keep the response before its client reads that it is complete, and goes on from it."""
        assert translation.request  # noqa: S101 - this dialect answers nothing by itself
        translation.collector.add(terminal)
        response = translation.collector.result()
        self._history.remember(translation.request, response)
        keep = self._worker.responses.keeper(translation, self._scope)
        if keep is not None:
            await keep(response)


class TurnWriter:
    """Sends the events of one turn, each as one text message without any framing.

    Attributes:
        first_at: when the first of them was sent, by `time.perf_counter`; 0.0 before.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._tail = b""
        self.first_at = 0.0

    def lane(self, stream_id: str | None) -> None:
        """Let every event name the lane that the client gave to the turn."""
        if stream_id is not None:
            self._tail = b',"stream_id":%b}' % orjson.dumps(stream_id)

    async def events(self, events: Iterable[Encodable]) -> None:
        """Send events."""
        self.first_at = self.first_at or time.perf_counter()
        for event in events:
            if isinstance(event, bytes):
                for frame in frames_in(event):
                    await self._write(frame.data)
            else:
                await self._write(event.data if isinstance(event, Frame) else orjson.dumps(event))

    async def error(self, error: CodexiaError) -> None:
        """Send an error in the form that it has on a WebSocket."""
        payload: dict[str, Any] = {
            "type": "error",
            "status": error.status,
            **openai_envelope(error),
            "headers": dict(error_headers(error)),
        }
        if isinstance(error, Overloaded):
            # By the backend's own code Codex CLI ends the turn here, where over HTTP it retries.
            payload["error"]["code"] = "server_error"
        await self._write(orjson.dumps(payload))

    async def _write(self, payload: bytes) -> None:
        if self._tail:
            payload = payload[:-1] + self._tail
        await self._send({"type": "websocket.send", "text": payload.decode("utf-8", "replace")})


def _headers_in(message: Json) -> dict[str, str]:
    """Return what a Codex client puts into its message because that has no headers.

    Those of the connection are of the time when it was opened.
    """
    return {
        name: value
        for name, value in child_at(message, "client_metadata").items()
        if name in PASSED_HEADERS and isinstance(value, str)
        # A JSON string can hold what a header cannot.
        if value.isascii() and value.isprintable()
    }


def _nothing_generated() -> Frame:
    """Return the backend's end of a response that it was never asked for."""
    response: Json = {"status": "completed", "output": [], "usage": usage_object(Usage())}
    return Frame("response.completed", orjson.dumps({"response": response}))
