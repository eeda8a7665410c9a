"""`/v1/messages/batches`: Anthropic's Message Batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
from starlette.datastructures import QueryParams

from codexia.dialects.messages_batches import (
    deleted_message_batch,
    individual_response,
    message_batch,
    message_batch_list,
)
from codexia.errors import BadRequest
from codexia_workers.answers import header, send_json
from codexia_workers.body import require_json
from codexia_workers.paging import page_limit
from codexia_workers.pieces import send_pieces
from codexia_workers.stored_batches import StoredBatches
from codexia_workers.upload import read_upload

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from starlette.types import Receive, Scope, Send

    from codexia.batches import ItemResult
    from codexia_workers.worker import Worker

MAX_PAGE: Final = 1000
JSONL: Final = [(b"content-type", b"application/x-jsonl")]


class MessageBatches:
    """The ASGI apps of the endpoints; the supervisor has the batches."""

    def __init__(self, worker: Worker) -> None:
        self._batches = StoredBatches(worker, "messages")

    async def create(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `POST /v1/messages/batches`; the requests stream through.

        Raises:
            CodexiaError: what is wrong with them, or why nothing can be stored.
        """
        require_json(scope)
        batch = await self._batches.create(scope, read_upload(scope, receive))
        await send_json(scope, send, message_batch(batch, _base_url(scope)))

    async def list(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `GET /v1/messages/batches`.

        Raises:
            BadRequest: `limit` makes no sense, or both cursors are given.
            NotFound: the caller has no batch of the cursor's id.
        """
        query = QueryParams(scope["query_string"])
        cursor = {
            name: query[f"{name}_id"] for name in ("after", "before") if f"{name}_id" in query
        }
        if len(cursor) > 1:
            raise BadRequest("give after_id or before_id, not both")
        page = await self._batches.list(scope, cursor, page_limit(query, MAX_PAGE))
        await send_json(scope, send, message_batch_list(page, _base_url(scope)))

    async def get(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `GET /v1/messages/batches/{id}`.

        Raises:
            NotFound: the caller has none of this id.
        """
        batch = await self._batches.get(scope, _id(scope))
        await send_json(scope, send, message_batch(batch, _base_url(scope)))

    async def cancel(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `POST /v1/messages/batches/{id}/cancel`; requests that run may finish.

        Raises:
            NotFound: the caller has none of this id.
        """
        batch = await self._batches.cancel(scope, _id(scope))
        await send_json(scope, send, message_batch(batch, _base_url(scope)))

    async def delete(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `DELETE /v1/messages/batches/{id}`.

        Raises:
            NotFound: the caller has none of this id.
            BadRequest: it has not ended.
        """
        await self._batches.delete(scope, _id(scope))
        await send_json(scope, send, deleted_message_batch(_id(scope)))

    async def results(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `GET /v1/messages/batches/{id}/results`, a line a request.

        Raises:
            NotFound: the caller has none of this id.
            BadRequest: it has not ended.
        """
        async with self._batches.results(scope, _id(scope)) as results:
            await send_pieces(scope, receive, send, JSONL, _lines(results))


async def _lines(results: AsyncIterable[list[ItemResult]]) -> AsyncGenerator[bytes]:
    async for some in results:
        yield b"".join(orjson.dumps(individual_response(each)) + b"\n" for each in some)


def _id(scope: Scope) -> str:
    return scope["path_params"]["batch_id"]


def _base_url(scope: Scope) -> str:
    """Return this gateway's address as the client knows it, which a proxy in between may change."""
    forwarded = header(scope, b"x-forwarded-proto").decode("latin-1")
    scheme = forwarded if forwarded in {"http", "https"} else scope["scheme"]
    return f"{scheme}://{header(scope, b'host').decode('latin-1')}"
