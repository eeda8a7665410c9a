"""The control API: HTTP for the workers and the command line, on a Unix socket.

`codexia.control` describes the calls. Who can open the socket may do everything here; its
directory and its mode admit this user only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from codexia.control import RefreshRequest, TokenCount, TokenCountRequest
from codexia.errors import CodexiaError, NotFound, openai_envelope
from codexia_supervisor.control_calls import (
    MAX_PROMPT_BYTES,
    body_of,
    json_response,
    message_of,
)
from codexia_supervisor.response_calls import response_routes

if TYPE_CHECKING:
    from collections import Counter
    from contextlib import AbstractContextManager

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from codexia.control import Snapshot, SupervisorStatus
    from codexia_supervisor.snapshot import SnapshotFeed
    from codexia_supervisor.stored_responses import StoredResponses
    from codexia_supervisor.token_counter import TokenCounter


class Controlled(Protocol):
    """What the control API gives access to."""

    feed: SnapshotFeed
    token_counter: TokenCounter
    responses: StoredResponses

    def watching(self, generation: int | None) -> AbstractContextManager[None]:
        """Count a worker of a generation as following the snapshots."""
        ...

    async def refresh(self, rejected_revision: int | None) -> Snapshot:
        """Return a snapshot with a login newer than the rejected one."""
        ...

    def status(self) -> SupervisorStatus:
        """Return the account of the supervisor."""
        ...

    def stop(self) -> None:
        """Begin the orderly end."""
        ...


def create_control_app(supervisor: Controlled, counters: Counter[str]) -> ASGIApp:
    """Return the app.

    Args:
        supervisor: what it controls.
        counters: counts the requests by path.
    """

    async def refresh(request: Request) -> Response:
        wanted = message_of(RefreshRequest, await body_of(request))
        snapshot = await supervisor.refresh(wanted.rejected_revision)
        return json_response(snapshot.model_dump_json().encode())

    async def count_tokens(request: Request) -> Response:
        wanted = message_of(TokenCountRequest, await body_of(request, MAX_PROMPT_BYTES))
        tokens = await supervisor.token_counter.count(wanted.texts, wanted.tools)
        return json_response(TokenCount(tokens=tokens).model_dump_json().encode())

    async def status(_: Request) -> Response:
        return json_response(supervisor.status().model_dump_json().encode())

    async def stop(_: Request) -> Response:
        supervisor.stop()
        return Response(status_code=202)

    app = Starlette(
        routes=[
            Route("/watch", _Watch(supervisor)),
            Route("/refresh", refresh, methods=["POST"]),
            Route("/count_tokens", count_tokens, methods=["POST"]),
            Route("/status", status),
            Route("/stop", stop, methods=["POST"]),
            *response_routes(supervisor.responses),
        ],
        exception_handlers={CodexiaError: _render, 404: _no_such_call, 405: _no_such_call},
    )
    return _Counted(app, counters)


class _Watch:
    """Streams the snapshots until the worker goes away or the feed is closed."""

    def __init__(self, supervisor: Controlled) -> None:
        self._supervisor = supervisor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = dict(pair.partition(b"=")[::2] for pair in scope["query_string"].split(b"&"))
        number = query.get(b"generation", b"")
        generation = int(number) if number.isdigit() else None
        headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with self._supervisor.watching(generation):
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send_all(send))
                gone = group.create_task(_until_gone(receive))
                await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
                sending.cancel()
                gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, send: Send) -> None:
        async for line in self._supervisor.feed.follow():
            await send({"type": "http.response.body", "body": line, "more_body": True})


class _Counted:
    """Counts requests before they are served; unknown paths together."""

    def __init__(self, app: Starlette, counters: Counter[str]) -> None:
        self._app = app
        self._counters = counters
        self._routes = [route for route in app.routes if isinstance(route, Route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            found = (route.path for route in self._routes if route.path_regex.match(scope["path"]))
            self._counters[next(found, "other")] += 1
        await self._app(scope, receive, send)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _no_such_call(request: Request, _: Exception) -> Response:
    error = NotFound(f"there is no call {request.method} {request.url.path}")
    return await _render(request, error)


async def _render(_: Request, error: Exception) -> Response:
    if not isinstance(error, CodexiaError):
        raise error
    return json_response(orjson.dumps(openai_envelope(error)), error.status)
