"""Local keys: who may use the gateway.

Clients differ in the header that they put their key in, and some carry a stale one in the
other, so it is enough that either matches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia.errors import Unauthorized
from codexia_workers.answers import header
from codexia_workers.serving import serving_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from codexia_workers.worker import Worker


class Protected:
    """A route that only the holder of a local key may use, where keys are configured.

    It notes which key that is: what is stored under one is not shown to another.
    """

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self._app = app
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            Unauthorized: neither header holds a local key.
            RateLimited: likewise, and too many others' do not either.
        """
        scheme, _, token = header(scope, b"authorization").partition(b" ")
        bearer = token.strip() if scheme.lower() == b"bearer" else b""
        holder = serving_of(scope, self._worker.serving).holder(bearer, header(scope, b"x-api-key"))
        if holder is None:
            await self._worker.wrong_keys.pause()
            # Claude Code shows its own login advice for any text that names a header.
            raise Unauthorized(
                "invalid local api key; give the client the key that this gateway is configured with"
            )
        scope["state"]["key_name"] = holder
        await self._app(scope, receive, send)
