"""The control API: HTTP for the workers and the command line, on a Unix socket.

`codexia.control` describes the calls. Who can open the socket may do everything here; its
directory and its mode admit this user only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from codexia.control import (
    ItemsRequest,
    RefreshRequest,
    StoredItems,
    TokenCount,
    TokenCountRequest,
)
from codexia.errors import BadRequest, CodexiaError, NotFound, RequestTooLarge, openai_envelope

if TYPE_CHECKING:
    from collections import Counter
    from contextlib import AbstractContextManager

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from codexia.control import Snapshot, SupervisorStatus
    from codexia_supervisor.snapshot import SnapshotFeed
    from codexia_supervisor.stored_responses import StoredResponses
    from codexia_supervisor.token_counter import TokenCounter

MAX_BODY_BYTES: Final = 64 * 1024
MAX_PROMPT_BYTES: Final = 256 * 1024 * 1024
"""Limit of a call that holds a client's prompt. Text within text has its quotes escaped twice."""

Message = TypeVar("Message", bound=BaseModel)


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
        wanted = _message(RefreshRequest, await _body(request))
        snapshot = await supervisor.refresh(wanted.rejected_revision)
        return _json(snapshot.model_dump_json().encode())

    async def count_tokens(request: Request) -> Response:
        wanted = _message(TokenCountRequest, await _body(request, MAX_PROMPT_BYTES))
        tokens = await supervisor.token_counter.count(wanted.texts, wanted.tools)
        return _json(TokenCount(tokens=tokens).model_dump_json().encode())

    async def status(_: Request) -> Response:
        return _json(supervisor.status().model_dump_json().encode())

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
            *_response_routes(supervisor.responses),
        ],
        exception_handlers={CodexiaError: _render, 404: _no_such_call, 405: _no_such_call},
    )
    return _Counted(app, counters)


def _response_routes(responses: StoredResponses) -> list[Route]:
    def owned(request: Request) -> tuple[str, str]:
        return request.query_params.get("key", ""), request.path_params["response_id"]

    async def put(request: Request) -> Response:
        content = await _body(request, MAX_PROMPT_BYTES)
        # Only the items are read. What comes before them is a whole prompt, kept as it is.
        response, _, rest = content.partition(b"\n")
        stored = _message(StoredItems, rest).items
        items = {item_id: orjson.dumps(item) for item_id, item in stored.items()}
        await responses.put(*owned(request), response, items)
        return Response(status_code=204)

    async def get(request: Request) -> Response:
        content = await responses.get(*owned(request))
        if content is None:
            raise NotFound("there is no such response")
        return _json(content)

    async def delete(request: Request) -> Response:
        if not await responses.delete(*owned(request)):
            raise NotFound("there is no such response")
        return Response(status_code=204)

    async def items(request: Request) -> Response:
        wanted = _message(ItemsRequest, await _body(request, MAX_PROMPT_BYTES))
        found = await responses.items(request.query_params.get("key", ""), wanted.ids)
        fragments = {item_id: orjson.Fragment(item) for item_id, item in found.items()}
        return _json(orjson.dumps({"items": fragments}))

    path = "/responses/{response_id}"
    return [
        Route(path, put, methods=["PUT"]),
        Route(path, get, methods=["GET"]),
        Route(path, delete, methods=["DELETE"]),
        Route("/items", items, methods=["POST"]),
    ]


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


async def _body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytearray:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise RequestTooLarge("the body is larger than a control call can be")
    return body


def _message(kind: type[Message], body: bytearray) -> Message:
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as error:
        # The error holds the body, so its text is not passed on.
        raise BadRequest(f"the body is not a {kind.__name__}") from error


async def _no_such_call(request: Request, _: Exception) -> Response:
    error = NotFound(f"there is no call {request.method} {request.url.path}")
    return await _render(request, error)


async def _render(_: Request, error: Exception) -> Response:
    if not isinstance(error, CodexiaError):
        raise error
    return _json(orjson.dumps(openai_envelope(error)), error.status)


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")
