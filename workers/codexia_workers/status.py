"""`GET /v1/status`: login, quota and gateway, as the supervisor knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from codexia.errors import SupervisorUnavailable
from codexia_workers.answers import send_json

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia_workers.worker import Worker

TIMEOUT_S: Final = 30.0
"""The backend may be asked before the answer, and the login refreshed for that."""


class Status:
    """The ASGI app of the endpoint."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request.

        Raises:
            SupervisorUnavailable: it does not answer.
        """
        status, content = await self._worker.supervisor.call("GET", "/account", b"", TIMEOUT_S)
        if status != 200:
            raise SupervisorUnavailable(f"the supervisor cannot tell its status ({status})")
        await send_json(
            scope, send, orjson.loads(content), headers=[(b"cache-control", b"no-store")]
        )
