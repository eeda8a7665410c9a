"""`GET /metrics`: what all workers counted, from the supervisor, which adds it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codexia.errors import SupervisorUnavailable
from codexia_workers.answers import identity_headers

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia_workers.worker import Worker

TIMEOUT_S: Final = 10.0
CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The ASGI app of the endpoint."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request.

        Raises:
            SupervisorUnavailable: it does not answer.
        """
        status, content = await self._worker.supervisor.call("GET", "/metrics", b"", TIMEOUT_S)
        if status != 200:
            raise SupervisorUnavailable(f"the supervisor cannot tell its metrics ({status})")
        headers = [
            (b"content-type", CONTENT_TYPE),
            (b"content-length", str(len(content)).encode()),
            *identity_headers(scope),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else content
        await send({"type": "http.response.body", "body": body})
