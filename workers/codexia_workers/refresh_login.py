"""`POST /v1/auth/refresh`: a fresh login now, for a client that wants one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia_workers.answers import send_json

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia_workers.worker import Worker


class RefreshLogin:
    """The ASGI app of that endpoint. Its answer has no token in it; a body is not read."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request.

        Raises:
            CodexiaError: there is no fresh login to be had, or not right now.
        """
        login = await self._worker.renew_login()
        answer = {"account_id": login.account_id.get_secret_value(), "expires_at": login.expires_at}
        await send_json(scope, send, answer)
