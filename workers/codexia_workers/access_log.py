"""What is told of each request when it is over: one access line, and the counts.

The outermost layer, so that what the gate refuses is told too.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from codexia.log_format import Fields
from codexia.metrics import DURATION, OTHER, REQUESTS, TOKENS, TTFT, UPSTREAM_ERRORS
from codexia_workers.request_record import RequestRecord
from codexia_workers.serving import serving_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from codexia_workers.worker import Worker

access = logging.getLogger("codexia.access")

CLIENT_GONE: Final = 499
"""Stands for the status of a request whose client left before there was one, as nginx has it."""

SWITCHED: Final = 101
UPSTREAM_ID_HEADER: Final = "x-request-id"
MAX_TEXT_CHARS: Final = 100


class AccessLog:
    """Middleware that tells of every request."""

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self._app = app
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        record = RequestRecord()
        scope.setdefault("state", {})["record"] = record

        # Not a coroutine of its own: a send of the hot path is to be done within its first step.
        def noting_send(message: Message) -> Any:
            if not record.first_at:
                _note(record, message)
            return send(message)

        try:
            await self._app(scope, receive, noting_send)
        finally:
            # Every message of a WebSocket has a line of its own.
            if record.status != SWITCHED:
                tell(self._worker, scope, record)


def _note(record: RequestRecord, message: Message) -> None:
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            record.status = message["status"]
        case "http.response.body":
            record.first_at = time.perf_counter()
        case "websocket.accept":
            record.status, record.first_at = SWITCHED, time.perf_counter()
        case _:
            pass


def tell(worker: Worker, scope: Scope, record: RequestRecord, request_id: str = "") -> None:
    """Tell of a request that is over.

    Args:
        worker: that served it.
        scope: of the request, or of the connection that it came over.
        record: what is known of it.
        request_id: the request's own where the connection carries several.
    """
    now = time.perf_counter()
    state = scope["state"]
    if not record.status:
        record.status, record.outcome = CLIENT_GONE, "client gone"
    key_name = state.get("key_name", "")
    _count(worker, scope, record, key_name, now)
    if not access.isEnabledFor(logging.INFO):
        return
    usage = record.usage
    fields: dict[str, Any] = {
        "id": request_id or state.get("request_id"),
        "method": scope.get("method"),
        "path": _path(scope)[:MAX_TEXT_CHARS],
        "dialect": record.name,
        "model": record.model[:MAX_TEXT_CHARS],
        "key": key_name,
        "status": record.status,
        "outcome": record.outcome,
        "code": record.code,
        "served": record.served[:MAX_TEXT_CHARS],
        "upstream_id": record.upstream_id[:MAX_TEXT_CHARS],
        "transport": record.transport,
        "ttft_ms": _ms(record.first_at - record.started_at) if record.first_at else None,
        "total_ms": _ms(now - record.started_at),
        "input_tokens": usage.input_tokens if usage else None,
        "cached_tokens": usage.cached_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        **record.further,
    }
    told = {name: value for name, value in fields.items() if value not in {None, ""}}
    access.info("request %s", Fields(told))


def _count(worker: Worker, scope: Scope, record: RequestRecord, key_name: str, now: float) -> None:
    tally = worker.observed.tally
    name = record.name or OTHER
    models = serving_of(scope, worker.serving).models
    is_known = record.model in models.ids or record.model in models.known
    model = record.model if is_known else OTHER
    tally.count(REQUESTS, name, model, key_name, str(record.status))
    tally.observe(DURATION, now - record.started_at, name)
    if record.name and record.first_at:
        tally.observe(TTFT, record.first_at - record.started_at, name)
    if record.outcome == "broke off":
        tally.count(UPSTREAM_ERRORS, "broke_off")
    if record.usage is not None:
        for kind, tokens in (
            ("input", record.usage.input_tokens),
            ("cached", record.usage.cached_tokens),
            ("output", record.usage.output_tokens),
        ):
            tally.count(TOKENS, kind, model, key_name, by=tokens)
    worker.observed.tell_again()


def _path(scope: Scope) -> str:
    """Return the path with the names of its parts for what the client put there."""
    path: str = scope["path"]
    for name, value in scope.get("path_params", {}).items():
        path = path.replace(value, f"{{{name}}}")
    return path


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
