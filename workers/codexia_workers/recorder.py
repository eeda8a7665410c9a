"""Notes exchanges for recordings, where the operator wants any. Otherwise it costs one look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codexia_workers.request_record import record_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from codexia_workers.worker import Worker

RECORDED: Final = frozenset(
    {
        "/v1/chat/completions",
        "/v1/images/generations",
        "/v1/messages",
        "/v1/responses",
        "/v1/responses/compact",
    }
)
"""What the backend answers. The turns of a WebSocket are noted by `websocket_turns`."""


class Recorder:
    """Middleware inside the access log, whose record tells how an exchange ended."""

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self._app = app
        self._recordings = worker.recordings

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request; no coroutine of its own unless that is recorded."""
        if (
            self._recordings.wanted
            and scope["type"] == "http"
            and scope["method"] == "POST"
            and scope["path"] in RECORDED
        ):
            return self._recorded(scope, receive, send)
        return self._app(scope, receive, send)

    async def _recorded(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._recordings.noting() as draft:

            async def receive_noting() -> Message:
                message: Any = await receive()
                if message["type"] == "http.request":
                    draft.request.add(message.get("body", b""))
                return message

            try:
                await self._app(scope, receive_noting, draft.noting(send))
            finally:
                request_id = scope["state"].get("request_id", "")
                self._recordings.keep(draft, scope, record_of(scope), request_id)
