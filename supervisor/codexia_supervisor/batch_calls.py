"""The calls of the control API for batches: those of their owners, and those of workers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from codexia.batches import BatchOfFile, Settlement, WorkOffer
from codexia_supervisor.control_calls import (
    MAX_PROMPT_BYTES,
    body_of,
    json_response,
    limit_of,
    message_of,
    until_gone,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pydantic import BaseModel
    from starlette.types import Receive, Scope, Send

    from codexia_supervisor.batches.batches import Batches
    from codexia_supervisor.batches.dispatcher import Dispatcher

NDJSON: Final = "application/x-ndjson"
DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 1000


def batch_routes(batches: Batches, dispatcher: Dispatcher) -> list[Route]:
    """Return the routes of batches."""

    async def create(request: Request) -> Response:
        key = request.query_params.get("key", "")
        return _message(await batches.create(key, request.stream()))

    async def create_of_file(request: Request) -> Response:
        wanted = message_of(BatchOfFile, await body_of(request))
        return _message(await batches.create_of_file(request.query_params.get("key", ""), wanted))

    async def page(request: Request) -> Response:
        query = request.query_params
        cursors = query.get("after", ""), query.get("before", "")
        limit = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
        return _message(await batches.page(query.get("key"), query.get("dialect"), *cursors, limit))

    async def get(request: Request) -> Response:
        return _message(await batches.get(*_owned(request)))

    async def cancel(request: Request) -> Response:
        return _message(await batches.cancel(*_owned(request)))

    async def delete(request: Request) -> Response:
        await batches.delete(*_owned(request))
        return Response(status_code=204)

    async def results(request: Request) -> Response:
        return StreamingResponse(await batches.results(*_owned(request)), media_type=NDJSON)

    async def settle(request: Request) -> Response:
        settlement = message_of(Settlement, await body_of(request, MAX_PROMPT_BYTES))
        await dispatcher.settle(settlement.worker, settlement.outcomes)
        return Response(status_code=204)

    path = "/batches/{batch_id}"
    return [
        Route("/batches", create, methods=["POST"]),
        Route("/batches", page, methods=["GET"]),
        Route("/batches/from_file", create_of_file, methods=["POST"]),
        Route(path, get, methods=["GET"]),
        Route(path, delete, methods=["DELETE"]),
        Route(f"{path}/cancel", cancel, methods=["POST"]),
        Route(f"{path}/results", results, methods=["GET"]),
        Route("/work", _Work(dispatcher), methods=["POST"]),
        Route("/settle", settle, methods=["POST"]),
    ]


class _Work:
    """Streams assignments until the worker goes away or the supervisor ends."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        offer = message_of(WorkOffer, await body_of(Request(scope, receive)))
        async with aclosing(self._dispatcher.work(offer)) as assignments:
            first = await anext(assignments, b"")
            headers = [(b"content-type", NDJSON.encode()), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(_send_all(assignments, send))
                gone = group.create_task(until_gone(receive))
                await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
                sending.cancel()
                gone.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _send_all(lines: AsyncGenerator[bytes], send: Send) -> None:
    async for line in lines:
        await send({"type": "http.response.body", "body": line, "more_body": True})


def _owned(request: Request) -> tuple[str, str | None]:
    return request.path_params["batch_id"], request.query_params.get("key")


def _message(message: BaseModel) -> Response:
    return json_response(message.model_dump_json().encode())
