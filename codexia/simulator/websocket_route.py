"""`GET /backend-api/codex/responses` as a WebSocket: many responses over one socket.

A client sends `response.create` messages with the body of the POST in them, one at a time, and
gets the same events, each as a text message. A message may go on from the last response of
its socket, by `previous_response_id`, and then holds only what is new; no other response can
be gone on from, and a failed one cannot either. A message that cannot be served gets an
`error` event with a status. `generate: false` prepares and answers nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from aiohttp import WSMsgType, web

from codexia.simulator.catalogue import catalogue_etag
from codexia.simulator.fault_answers import http_answer
from codexia.simulator.fault_streams import broken_stream
from codexia.simulator.faults import (
    Cloudflare,
    Forgotten,
    Handshake,
    HttpFault,
    Never,
    SocketClose,
    SocketFault,
    SocketLimit,
)
from codexia.simulator.findings import Finding, detail_answer, error_answer, refused
from codexia.simulator.gate import rendered
from codexia.simulator.reply import BadDirective, choose_reply
from codexia.simulator.response import ResponseStream
from codexia.simulator.responses_route import reply_frames
from codexia.simulator.rules import check_body
from codexia.simulator.rules_headers import check_originator, check_upgrade_headers
from codexia.simulator.shapes import as_object
from codexia.simulator.socket_frames import SocketWriter, metadata_frame, rate_limits_frame
from codexia.simulator.transcripts import HttpTranscript
from codexia.simulator.wire import EventSender, pause

if TYPE_CHECKING:
    from codexia.simulator.gate import Gate
    from codexia.simulator.reply import Reply
    from codexia.simulator.responses_route import ResponsesRoute
    from codexia.simulator.settings import Settings
    from codexia.simulator.stats import Stats

MESSAGE_LIMIT_BYTES: Final = 16 * 1024 * 1024
SOCKET_FIELDS: Final = ("type", "previous_response_id", "generate")
UNCOMPARED_FIELDS: Final = frozenset({"input", "client_metadata"})
"""What may differ between a response and one that goes on from it."""

F = TypeVar("F", bound=SocketFault)


class Refused(Exception):
    """A message gets an `error` event; `ends` with it the socket."""

    def __init__(
        self,
        status: int,
        content: Any,
        headers: dict[str, str] | None = None,
        *,
        ends: bool = False,
    ) -> None:
        super().__init__(status)
        self.event = {"type": "error", "status": status, **_error(content)}
        if headers:
            self.event["headers"] = {name.title(): value for name, value in headers.items()}
        self.ends = ends


class WebSocketRoute:
    """The endpoint.

    Attributes:
        faults: what the next upgrades and messages get, each taken by the first that it is for.
    """

    def __init__(
        self, gate: Gate, stats: Stats, settings: Settings, responses: ResponsesRoute
    ) -> None:
        self.faults: deque[SocketFault] = deque()
        self.gate = gate
        self.stats = stats
        self.settings = settings
        self.responses = responses

    def take_fault(self, kind: type[F]) -> F | None:
        """Return the first queued fault of a kind, and take it from the queue."""
        found = next((fault for fault in self.faults if isinstance(fault, kind)), None)
        if found is not None:
            self.faults.remove(found)
        return found

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer an upgrade, and the messages after it."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return rendered(detail_answer("Upgrade Required", 426))
        findings = [
            *self.gate.login_findings(request),
            *check_originator(request.headers),
            *check_upgrade_headers(request.headers),
        ]
        if (refusal := self.gate.refusal(findings)) is not None:
            return refusal
        if (fault := self.take_fault(Handshake)) is not None:
            return rendered(detail_answer("The upgrade failed", fault.status))
        socket = web.WebSocketResponse(max_msg_size=MESSAGE_LIMIT_BYTES)
        socket.headers.update(
            {
                "x-codex-turn-state": f"ts_{time.time_ns():x}",
                "x-models-etag": catalogue_etag(),
                "x-reasoning-included": "true",
            }
        )
        await socket.prepare(request)
        self.stats.sockets_opened += 1
        await _Conversation(self, request, socket).run()
        return socket


class _Conversation:
    """One socket, and the response that its next message can go on from."""

    def __init__(
        self, route: WebSocketRoute, request: web.Request, socket: web.WebSocketResponse
    ) -> None:
        self._route = route
        self._request = request
        self._socket = socket
        self._writer = SocketWriter(socket)
        self._until = time.monotonic() + route.settings.socket_lifetime_s
        self._last_id = ""
        self._last_fields: dict[str, Any] = {}
        self._last_input: list[Any] = []

    async def run(self) -> None:
        """Answer messages until the client leaves; one that comes too early is a violation."""
        answering: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                if answering is not None and not answering.done():
                    finding = Finding("in_flight", "a message while a response is in flight")
                    self._route.stats.count([finding])
                    await answering
                answering = group.create_task(self._answer(message.data))
            if answering is not None:
                answering.cancel()

    async def _answer(self, content: str) -> None:
        stats = self._route.stats
        stats.uploaded_bytes["websocket"] += len(content.encode())
        stats.requests["WEBSOCKET response.create"] += 1
        if (closing := self._route.take_fault(SocketClose)) and not closing.after:
            await self._socket.close(code=closing.code)
            return
        try:
            body = self._read(content)
            await self._respond(body, closing)
        except Refused as refusal:
            self._last_id = ""
            await self._socket.send_str(orjson.dumps(refusal.event).decode())
            if refusal.ends:
                await self._socket.close()

    def _read(self, content: str) -> dict[str, Any]:
        """Return the whole request that a message means.

        Raises:
            Refused: it breaks a rule.
        """
        if self._route.take_fault(SocketLimit) or time.monotonic() > self._until:
            message = (
                "Responses websocket connection limit reached (60 minutes). Create a new websocket "
                "connection to continue."
            )
            raise _invalid("websocket_connection_limit_reached", message, ends=True)
        try:
            message = as_object(orjson.loads(content))
        except orjson.JSONDecodeError:
            message = None
        if message is None or message.get("type") != "response.create":
            self._route.stats.count([refused("message", "not a response.create message")])
            raise Refused(400, {"detail": "Unsupported message"})
        body = {name: value for name, value in message.items() if name not in SOCKET_FIELDS}
        if (previous := message.get("previous_response_id")) is not None:
            body = self._continued(body, previous)
        session = self._request.headers.get("session-id")
        findings = [] if message.get("generate") is False else list(check_body(body, session))
        self._route.stats.count(findings)
        for finding in findings:
            if finding.answer is not None:
                answer = finding.answer
                raise Refused(answer.status, orjson.loads(answer.body), answer.headers)
        if message.get("generate") is False:
            body["input"] = body.get("input") or []
            body["generate"] = False
        return body

    def _continued(self, body: dict[str, Any], previous: Any) -> dict[str, Any]:
        if self._route.take_fault(Forgotten) or not self._last_id or previous != self._last_id:
            text = f"Previous response with id '{previous}' not found."
            raise _invalid("previous_response_not_found", text, param="previous_response_id")
        fields = _compared(body)
        if fields != self._last_fields:
            finding = Finding("incremental", "goes on from a response with other fields")
            self._route.stats.count([finding])
        self._route.stats.incremental_requests += 1
        return {**body, "input": [*self._last_input, *body.get("input", ())]}

    async def _respond(self, body: dict[str, Any], closing: SocketClose | None) -> None:
        prepares = body.pop("generate", True) is False
        content = orjson.dumps(body)
        if not prepares:
            self._route.responses.accept(self._request, content)
        try:
            reply = None if prepares else choose_reply(body)
        except BadDirective as error:
            raise Refused(400, {"detail": f"simulator: {error}"}) from error
        tokens = self._route.responses.count_input(self._request, len(content))
        response = ResponseStream(body, reply.items if reply else (), tokens)
        self._writer.start()
        await self._send(body, reply, response, closing)
        self._last_id = self._writer.completed_id
        self._last_fields = _compared(body)
        self._last_input = [*body["input"], *self._writer.items]

    async def _send(
        self,
        body: dict[str, Any],
        reply: Reply | None,
        response: ResponseStream,
        closing: SocketClose | None,
    ) -> None:
        """Send the events of a response, broken as ordered.

        Raises:
            Refused: it gets an error instead.
        """
        stats = self._route.stats
        fault, told = (
            self._route.responses.next_fault(reply, body["model"]) if reply else (None, {})
        )
        sender = EventSender(self._request, self._writer, stats)
        stats.opened()
        try:
            if isinstance(fault, Never):
                await pause(fault.for_s)
            if isinstance(fault, Cloudflare):
                # The edge is between the client and the upgrade, never behind it.
                sender.ended = True
                await self._socket.close(code=1011)
                return
            if isinstance(fault, HttpFault):
                sender.ended = True
                answer = http_answer(fault, time.time())
                raise Refused(answer.status, orjson.loads(answer.body), told | answer.headers)
            if reply and isinstance(reply.transcript, HttpTranscript):
                sender.ended = True
                raise Refused(reply.transcript.status, orjson.loads(reply.transcript.body))
            await self._prelude(body["model"])
            stats.responses_started += 1
            frames = reply_frames(response, reply) if reply else response.frames()
            steps = broken_stream(frames, fault, response) if fault else frames
            gap_s = self._route.settings.gap_s(reply.gap_ms if reply else 0)
            if closing is not None:
                steps = (step for _, step in zip(range(closing.after), steps, strict=False))
            first_s = self._route.settings.first_s(reply.first_ms if reply else None)
            await sender.send_steps(steps, gap_s, 0, first_s)
            if closing is not None or not sender.ended:
                sender.ended = True
                await self._socket.close(code=closing.code if closing else 1000)
        except (asyncio.CancelledError, ConnectionError):
            stats.disconnects += not sender.ended
            raise
        finally:
            stats.open_streams -= 1

    async def _prelude(self, model: str) -> None:
        plan = self._route.responses.plan
        await self._writer.write(metadata_frame(plan.served_model or model))
        await self._writer.write(rate_limits_frame(plan))


def _compared(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in UNCOMPARED_FIELDS}


def _error(content: Any) -> dict[str, Any]:
    """Return the `error` member for the body of an HTTP refusal."""
    detail = content.get("detail")
    if detail is None:
        return {"error": content["error"]}
    return {"error": {"type": "invalid_request_error", "message": str(detail)}}


def _invalid(code: str, message: str, *, param: str | None = None, ends: bool = False) -> Refused:
    answer = error_answer(message, param=param, code=code)
    return Refused(400, orjson.loads(answer.body), ends=ends)
