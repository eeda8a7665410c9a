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
from codexia_supervisor.account_calls import account_routes
from codexia_supervisor.batch_calls import batch_routes
from codexia_supervisor.config_calls import config_routes
from codexia_supervisor.control_calls import (
    MAX_PROMPT_BYTES,
    body_of,
    json_response,
    message_of,
    until_gone,
)
from codexia_supervisor.ending_calls import ending_routes
from codexia_supervisor.file_calls import file_routes
from codexia_supervisor.recording_calls import recording_routes
from codexia_supervisor.response_calls import response_routes
from codexia_supervisor.share_calls import share_routes

if TYPE_CHECKING:
    from collections import Counter
    from contextlib import AbstractContextManager

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from codexia.account import AccountStatus
    from codexia.control import Snapshot, SupervisorStatus
    from codexia_supervisor.account import Account
    from codexia_supervisor.batches.batches import Batches
    from codexia_supervisor.batches.dispatcher import Dispatcher
    from codexia_supervisor.catalogue import Catalogue
    from codexia_supervisor.ending import Ending
    from codexia_supervisor.live_config import LiveConfig
    from codexia_supervisor.recordings import Recordings
    from codexia_supervisor.shares import Shares
    from codexia_supervisor.snapshot import SnapshotFeed
    from codexia_supervisor.stored_responses import StoredResponses
    from codexia_supervisor.token_counter import TokenCounter


class Controlled(Protocol):
    """What the control API gives access to."""

    account: Account
    feed: SnapshotFeed
    ending: Ending
    token_counter: TokenCounter
    responses: StoredResponses
    batches: Batches
    dispatcher: Dispatcher
    config: LiveConfig
    shares: Shares
    recordings: Recordings
    catalogue: Catalogue

    def reload(self) -> None:
        """Take on what changed in config.json and auth.json."""
        ...

    def watching(self, generation: int | None) -> AbstractContextManager[None]:
        """Count a worker of a generation as following the snapshots."""
        ...

    async def refresh(self, rejected_revision: int | None, *, by_client: bool = False) -> Snapshot:
        """Return a snapshot with a login newer than the rejected one."""
        ...

    def status(self) -> SupervisorStatus:
        """Return the account of the supervisor."""
        ...

    async def account_status(self) -> AccountStatus:
        """Return login, quota and gateway."""
        ...

    def metrics(self) -> bytes:
        """Return everything that is counted, as Prometheus reads it."""
        ...


def create_control_app(supervisor: Controlled, counters: Counter[str]) -> ASGIApp:
    """Return the app.

    Args:
        supervisor: what it controls.
        counters: counts the requests by path.
    """

    async def refresh(request: Request) -> Response:
        wanted = message_of(RefreshRequest, await body_of(request))
        snapshot = await supervisor.refresh(wanted.rejected_revision, by_client=wanted.by_client)
        return json_response(snapshot.model_dump_json().encode())

    async def count_tokens(request: Request) -> Response:
        wanted = message_of(TokenCountRequest, await body_of(request, MAX_PROMPT_BYTES))
        tokens = await supervisor.token_counter.count(wanted.texts, wanted.tools)
        return json_response(TokenCount(tokens=tokens).model_dump_json().encode())

    async def status(_: Request) -> Response:
        return json_response(supervisor.status().model_dump_json().encode())

    async def catalogue(_: Request) -> Response:
        if not supervisor.catalogue.document:
            raise NotFound("the account's catalogue is not known")
        return json_response(supervisor.catalogue.document)

    async def metrics(_: Request) -> Response:
        return Response(supervisor.metrics(), media_type="text/plain")

    app = Starlette(
        routes=[
            Route("/watch", _Watch(supervisor)),
            Route("/refresh", refresh, methods=["POST"]),
            Route("/count_tokens", count_tokens, methods=["POST"]),
            Route("/status", status),
            Route("/metrics", metrics),
            Route("/catalogue", catalogue),
            *account_routes(supervisor.account, supervisor.account_status),
            *share_routes(supervisor.shares),
            *ending_routes(supervisor.ending),
            *response_routes(supervisor.responses),
            *batch_routes(supervisor.batches, supervisor.dispatcher),
            *file_routes(supervisor.batches.files),
            *recording_routes(supervisor.recordings),
            *config_routes(supervisor.config, supervisor.reload),
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
        worker = query.get(b"worker", b"").decode("latin-1")
        with self._supervisor.watching(generation), self._supervisor.shares.following(worker):
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send_all(send))
                gone = group.create_task(until_gone(receive))
                await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
                sending.cancel()
                gone.cancel()
        self._supervisor.account.fleet.gone(worker)
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


async def _no_such_call(request: Request, _: Exception) -> Response:
    error = NotFound(f"there is no call {request.method} {request.url.path}")
    return await _render(request, error)


async def _render(_: Request, error: Exception) -> Response:
    if not isinstance(error, CodexiaError):
        raise error
    payload = openai_envelope(error)
    if error.retry_after_s is not None:
        payload["retry_after_s"] = error.retry_after_s
    return json_response(orjson.dumps(payload), error.status)
