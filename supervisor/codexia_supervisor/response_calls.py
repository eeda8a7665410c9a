"""The calls of the control API for stored responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response
from starlette.routing import Route

from codexia.control import ItemsRequest, StoredItems
from codexia.errors import NotFound
from codexia_supervisor.control_calls import (
    MAX_PROMPT_BYTES,
    body_of,
    json_response,
    message_of,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from codexia_supervisor.stored_responses import StoredResponses


def response_routes(responses: StoredResponses) -> list[Route]:
    """Return the routes of stored responses."""

    def owned(request: Request) -> tuple[str, str]:
        return request.query_params.get("key", ""), request.path_params["response_id"]

    async def put(request: Request) -> Response:
        content = await body_of(request, MAX_PROMPT_BYTES)
        # Only the items are read. What comes before them is a whole prompt, kept as it is.
        response, _, rest = content.partition(b"\n")
        stored = message_of(StoredItems, rest).items
        items = {item_id: orjson.dumps(item) for item_id, item in stored.items()}
        await responses.put(*owned(request), response, items)
        return Response(status_code=204)

    async def get(request: Request) -> Response:
        content = await responses.get(*owned(request))
        if content is None:
            raise NotFound("there is no such response")
        return json_response(content)

    async def delete(request: Request) -> Response:
        if not await responses.delete(*owned(request)):
            raise NotFound("there is no such response")
        return Response(status_code=204)

    async def items(request: Request) -> Response:
        wanted = message_of(ItemsRequest, await body_of(request, MAX_PROMPT_BYTES))
        found = await responses.items(request.query_params.get("key", ""), wanted.ids)
        fragments = {item_id: orjson.Fragment(item) for item_id, item in found.items()}
        return json_response(orjson.dumps({"items": fragments}))

    path = "/responses/{response_id}"
    return [
        Route(path, put, methods=["PUT"]),
        Route(path, get, methods=["GET"]),
        Route(path, delete, methods=["DELETE"]),
        Route("/items", items, methods=["POST"]),
    ]
