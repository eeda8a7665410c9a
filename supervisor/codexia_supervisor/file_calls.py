"""The calls of the control API for the files of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from codexia_supervisor.control_calls import json_response, limit_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from codexia_supervisor.batches.batches import Batches

DEFAULT_LIMIT: Final = 1000
MAX_LIMIT: Final = 10_000


def file_routes(batches: Batches) -> list[Route]:
    """Return the routes of files."""

    async def create(request: Request) -> Response:
        query = request.query_params
        name = query.get("name", "upload.jsonl")
        file = await batches.add_file(query.get("key", ""), name, request.stream())
        return json_response(file.model_dump_json().encode())

    async def page(request: Request) -> Response:
        query = request.query_params
        files = await batches.files(
            query.get("key"),
            query.get("purpose", ""),
            query.get("after", ""),
            limit_of(request, DEFAULT_LIMIT, MAX_LIMIT),
            ascending=query.get("order") == "asc",
        )
        return json_response(files.model_dump_json().encode())

    async def get(request: Request) -> Response:
        file = await batches.file(*_owned(request))
        return json_response(file.model_dump_json().encode())

    async def content(request: Request) -> Response:
        chunks = await batches.content(*_owned(request))
        return StreamingResponse(chunks, media_type="application/octet-stream")

    async def delete(request: Request) -> Response:
        await batches.delete_file(*_owned(request))
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
