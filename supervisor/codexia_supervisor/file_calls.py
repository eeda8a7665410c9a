"""The calls of the control API for the files of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from codexia_supervisor.control_calls import json_response, limit_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from codexia_supervisor.batches.files import Files

DEFAULT_LIMIT: Final = 1000
MAX_LIMIT: Final = 10_000


def file_routes(files: Files) -> list[Route]:
    """Return the routes of files."""

    async def create(request: Request) -> Response:
        query = request.query_params
        name = query.get("name", "upload.jsonl")
        file = await files.add(query.get("key", ""), name, request.stream())
        return json_response(file.model_dump_json().encode())

    async def page(request: Request) -> Response:
        query = request.query_params
        some = await files.page(
            query.get("key"),
            query.get("purpose", ""),
            query.get("after", ""),
            limit_of(request, DEFAULT_LIMIT, MAX_LIMIT),
            ascending=query.get("order") == "asc",
        )
        return json_response(some.model_dump_json().encode())

    async def get(request: Request) -> Response:
        file = await files.get(*_owned(request))
        return json_response(file.model_dump_json().encode())

    async def content(request: Request) -> Response:
        chunks = await files.content(*_owned(request))
        return StreamingResponse(chunks, media_type="application/octet-stream")

    async def delete(request: Request) -> Response:
        await files.delete(*_owned(request))
        return Response(status_code=204)

    path = "/files/{file_id}"
    return [
        Route("/files", create, methods=["POST"]),
        Route("/files", page, methods=["GET"]),
        Route(path, get, methods=["GET"]),
        Route(f"{path}/content", content, methods=["GET"]),
        Route(path, delete, methods=["DELETE"]),
    ]


def _owned(request: Request) -> tuple[str, str | None]:
    return request.path_params["file_id"], request.query_params.get("key")
