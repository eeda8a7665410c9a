"""The first and last thing a request meets: who may talk to this port, and what a failure is.

A web page can reach a port on loopback, by a form post or by a name that it rebinds to
127.0.0.1. So the Host must be a name that is ours (CVE-2024-28224 is what happens without), and
a request that a browser marks as coming from elsewhere must come from a configured origin.
Programs send neither Origin nor Sec-Fetch-Site and pass. A Host or Origin that comes twice is
refused, since others on the way may have gone by the other one.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final

from codexia.addresses import is_our_name
from codexia.errors import BadRequest, CodexiaError, Forbidden, RequestTimeout
from codexia_workers.answers import header, send_error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from codexia_workers.serving import Serving
    from codexia_workers.worker import Worker

logger = logging.getLogger("codexia.gate")

READABLE_HEADERS: Final = b"request-id, x-request-id, retry-after, x-should-retry"
"""What the scripts of an allowed origin may read of an answer, beside its body."""


class Gate:
    """Middleware that turns foreign hosts and origins away and names every request."""

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self._app = app
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            send = _refusing_upgrades(send)
        serving = self._worker.serving
        state = scope.setdefault("state", {})
        state["request_id"] = f"req_{secrets.token_hex(12)}"
        state["serving"] = serving
        state["closing"] = self._worker.draining
        if serving.snapshot.allowed_origins:
            send = _varying(send)
        try:
            _check_host(_only(scope, b"host"), serving)
            origin = _only(scope, b"origin")
            _check_origin(origin, scope, serving)
            if origin:
                send = _with_cors(send, origin)
            if origin and scope.get("method") == "OPTIONS":
                await _send_preflight(scope, send)
            else:
                await self._app(scope, receive, send)
        except CodexiaError as error:
            if isinstance(error, RequestTimeout):
                state["closing"] = True  # what may still come is no request
            await send_error(scope, send, error)
        except Exception:  # the boundary: a bug must still be an answer in the caller's envelope
            logger.exception("request failed id=%s", state["request_id"])
            await send_error(scope, send, CodexiaError("internal error", code="internal_error"))


def _only(scope: Scope, name: bytes) -> str:
    """Return a header that may come once, "" where it does not come."""
    values = [value for key, value in scope["headers"] if key == name]
    if len(values) > 1:
        raise BadRequest(f"there is more than one {name.decode()} header")
    return values[0].decode("latin-1") if values else ""


def _check_host(host: str, serving: Serving) -> None:
    snapshot = serving.snapshot
    if not is_our_name(host, snapshot.bind_host, snapshot.allowed_hosts):
        raise Forbidden("this host name is not served here; add it to allowed_hosts")


def _check_origin(origin: str, scope: Scope, serving: Serving) -> None:
    foreign = header(scope, b"sec-fetch-site").lower() in {b"cross-site", b"same-site"}
    if origin not in serving.snapshot.allowed_origins if origin else foreign:
        raise Forbidden("this web origin is not served here; add it to allowed_origins")


def _cors_headers(origin: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", READABLE_HEADERS),
    ]


def _varying(send: Send) -> Send:
    """Keep caches from giving one origin what another one, or none, was answered."""

    async def send_varying(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"vary", b"origin")]}  # pyright: ignore[reportGeneralTypeIssues]
        await send(message)

    return send_varying  # pyright: ignore[reportReturnType]


def _with_cors(send: Send, origin: str) -> Send:
    async def send_with_cors(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_cors_headers(origin)]}  # pyright: ignore[reportGeneralTypeIssues]
        await send(message)

    return send_with_cors  # pyright: ignore[reportReturnType]


def _refusing_upgrades(send: Send) -> Send:
    """Let an answer to an upgrade be what it would be to a plain request.

    ASGI has names of their own for the messages of a refusal:
    https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response.
    """

    async def send_refusal(message: dict[str, object]) -> None:
        kind = str(message["type"])
        if kind.startswith("http."):
            message = {**message, "type": f"websocket.{kind}"}
        await send(message)

    return send_refusal  # pyright: ignore[reportReturnType]


async def _send_preflight(scope: Scope, send: Send) -> None:
    asked = header(scope, b"access-control-request-headers") or b"content-type"
    headers = [
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (b"access-control-allow-headers", asked),
        (b"access-control-max-age", b"600"),
    ]
    if header(scope, b"access-control-request-private-network") == b"true":
        # Chrome asks this of a page from elsewhere: https://wicg.github.io/private-network-access/
        headers.append((b"access-control-allow-private-network", b"true"))
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
