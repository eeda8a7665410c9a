"""`POST /backend-api/codex/responses`: judge the request, choose the reply, send it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from codexia.simulator.catalogue import catalogue_etag
from codexia.simulator.fault_answers import http_answer
from codexia.simulator.fault_streams import broken_stream
from codexia.simulator.faults import Fault, HttpFault, Never, Slice
from codexia.simulator.findings import Finding, detail_answer, refused
from codexia.simulator.gate import BadEncoding, Gate, decoded_body, encoding_finding, rendered
from codexia.simulator.plan import Plan
from codexia.simulator.reply import BadDirective, Reply, choose_reply
from codexia.simulator.response import InputTokens, ResponseStream
from codexia.simulator.rules import check_body
from codexia.simulator.rules_headers import check_originator, check_responses_headers
from codexia.simulator.transcripts import HttpTranscript, StreamTranscript
from codexia.simulator.wire import EventSender, pause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.simulator.settings import Settings
    from codexia.simulator.stats import Stats

KEPT_REQUESTS = 50
KEPT_SESSIONS = 10_000


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """A request that broke no rule, as it came: decoded body, headers without the login."""

    headers: dict[str, str]
    body: bytes

    def as_dict(self) -> dict[str, Any]:
        """Return the request as JSON-ready values; header names in lower case."""
        return {"headers": self.headers, "body": orjson.Fragment(self.body)}


class ResponsesRoute:
    """The streaming endpoint and what it remembers between requests.

    Attributes:
        accepted: the last accepted requests, oldest first.
        faults: what the next accepted requests get, one each.
        plan: what limits them all.
    """

    def __init__(self, gate: Gate, stats: Stats, settings: Settings) -> None:
        self.accepted: deque[AcceptedRequest] = deque(maxlen=KEPT_REQUESTS)
        self.faults: deque[Fault] = deque()
        self.plan = Plan()
        self._gate = gate
        self._stats = stats
        self._settings = settings
        self._session_tokens: OrderedDict[str, int] = OrderedDict()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        try:
            content = await decoded_body(request)
        except BadEncoding as error:
            return self._refuse([encoding_finding(error)])
        self._stats.uploaded_bytes["http"] += len(await request.read())
        body, findings = self._judge(request, content)
        refusal = self._gate.refusal(findings)
        if refusal is not None:
            return refusal
        self.accept(request, content)
        try:
            reply = choose_reply(body)
        except BadDirective as error:
            text = f"simulator: {error}"
            finding = Finding("directive", text, detail_answer(text), is_violation=False)
            return self._refuse([finding])
        return await self._answer(request, body, reply, self.count_input(request, len(content)))

    def accept(self, request: web.Request, content: bytes) -> None:
        """Remember a request that broke no rule, with the headers that it or its socket had."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.pop("authorization", None)
        self.accepted.append(AcceptedRequest(headers, content))

    def next_fault(self, reply: Reply, model: str) -> tuple[Fault | None, dict[str, str]]:
        """Return what goes wrong with a reply, and what its headers tell of the plan."""
        fault = self.faults.popleft() if self.faults else reply.fault
        if fault is None and (refusal := self.plan.refusal(model)):
            return refusal
        return fault, self.plan.all_headers()

    def _judge(self, request: web.Request, content: bytes) -> tuple[Any, list[Finding]]:
        headers = request.headers
        findings = [
            *self._gate.login_findings(request),
            *check_originator(headers),
            *check_responses_headers(headers),
        ]
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            return None, [*findings, refused("body", "Request body is not valid JSON")]
        return body, [*findings, *check_body(body, headers.get("session-id"))]

    def _refuse(self, findings: list[Finding]) -> web.StreamResponse:
        refusal = self._gate.refusal(findings)
        assert refusal is not None  # noqa: S101 - callers pass findings with an answer
        return refusal

    def count_input(self, request: web.Request, body_bytes: int) -> InputTokens:
        """Return the token counts and remember them for the session's next request."""
        session = request.headers.get("session-id", "")
        tokens = InputTokens.of(body_bytes, self._session_tokens.pop(session, 0))
        if session:
            self._session_tokens[session] = tokens.total
            if len(self._session_tokens) > KEPT_SESSIONS:
                self._session_tokens.popitem(last=False)
        return tokens

    async def _answer(
        self, request: web.Request, body: dict[str, Any], reply: Reply, tokens: InputTokens
    ) -> web.StreamResponse:
        fault, told = self.next_fault(reply, body["model"])
        if isinstance(fault, HttpFault):
            answer = http_answer(fault, time.time())
            answer.headers.update(told | answer.headers)
            return rendered(answer)
        if isinstance(reply.transcript, HttpTranscript):
            return _played(reply.transcript)
        served = self.plan.served_model or body["model"]
        stream = web.StreamResponse(headers=_stream_headers(request, served) | told)
        sender = EventSender(request, stream, self._stats)
        response = ResponseStream(body, reply.items, tokens)
        frames = reply_frames(response, reply)
        self._stats.opened()
        try:
            if isinstance(fault, Never):
                await pause(fault.for_s)
            await stream.prepare(request)
            self._stats.responses_started += 1
            gap_s = self._settings.gap_s(reply.gap_ms)
            if fault is None and not gap_s:
                await sender.send_batched(frames)
            else:
                steps = broken_stream(frames, fault, response) if fault else frames
                slice_bytes = fault.size if isinstance(fault, Slice) else 0
                first_s = self._settings.first_s(reply.first_ms)
                await sender.send_steps(steps, gap_s, slice_bytes, first_s)
            sender.ended = True
        except (asyncio.CancelledError, ConnectionError):
            self._stats.disconnects += not sender.ended
            raise
        finally:
            self._stats.open_streams -= 1
        return stream


def reply_frames(response: ResponseStream, reply: Reply) -> Iterator[bytes]:
    """Return the frames of a reply, made or played."""
    if isinstance(reply.transcript, StreamTranscript):
        return iter(reply.transcript.frames)
    return response.frames()


def _played(transcript: HttpTranscript) -> web.Response:
    return web.Response(
        status=transcript.status, headers=list(transcript.headers), body=transcript.body
    )


def _stream_headers(request: web.Request, served_model: str) -> dict[str, str]:
    turn_state = request.headers.get("x-codex-turn-state") or f"ts_{secrets.token_urlsafe(24)}"
    request_id = secrets.token_hex(16)
    return {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache",
        "Server": "cloudflare",
        "cf-ray": f"{secrets.token_hex(8)}-SIM",
        "openai-model": served_model,
        "x-codex-turn-state": turn_state,
        "x-models-etag": catalogue_etag(),
        "x-reasoning-included": "true",
        "x-request-id": request_id,
        "x-oai-request-id": request_id,
    }
