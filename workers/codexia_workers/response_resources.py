"""What can be done with a stored response: read it, list its input, forget it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import QueryParams

from codexia.dialects.responses_items import listed_items
from codexia.errors import BadRequest, NotFound
from codexia_workers.answers import send_json
from codexia_workers.paging import page_limit, page_order

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia.control import StoredResponse
    from codexia_workers.worker import Worker

MAX_PAGE: Final = 100


class GetResponse:
    """`GET /v1/responses/{id}`: the response object as it was answered."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request.

        Raises:
            NotFound: the caller has no such response.
            BadRequest: it is to be streamed, which needs `background`.
        """
        stored = await _stored(self._worker, scope)
        if QueryParams(scope["query_string"]).get("stream") == "true":
            raise BadRequest(
                "this response cannot be streamed because it was not created with background=true",
                param="stream",
            )
        await send_json(scope, send, stored.response)


class DeleteResponse:
    """`DELETE /v1/responses/{id}`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request.

        Raises:
            NotFound: the caller has no such response.
        """
        response_id = scope["path_params"]["response_id"]
        if not await self._worker.responses.delete(response_id, scope):
            raise _unknown(response_id)
        payload = {"id": response_id, "object": "response", "deleted": True}
        await send_json(scope, send, payload)


class CancelResponse:
    """`POST /v1/responses/{id}/cancel`: refused, since none runs in the background."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request.

        Raises:
            NotFound: the caller has no such response.
            BadRequest: it has, and it is complete.
        """
        await _stored(self._worker, scope)
        raise BadRequest(
            "cannot cancel a synchronous response: it is complete, and was not created with "
            "background=true"
        )


class ListInputItems:
    """`GET /v1/responses/{id}/input_items`, the newest first unless asked otherwise."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request.

        Raises:
            NotFound: the caller has no such response.
            BadRequest: `limit`, `order` or `after` makes no sense.
        """
        stored = await _stored(self._worker, scope)
        query = QueryParams(scope["query_string"])
        items = listed_items(stored.input, stored.response["id"])
        if page_order(query) == "desc":
            items.reverse()
        start = 0
        if after := query.get("after"):
            start = 1 + next((n for n, item in enumerate(items) if item["id"] == after), -1)
            if not start:
                raise BadRequest(f"no input item has the id '{after}'", param="after")
        page = items[start : start + page_limit(query, MAX_PAGE)]
        payload = {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": start + len(page) < len(items),
        }
        await send_json(scope, send, payload)


async def _stored(worker: Worker, scope: Scope) -> StoredResponse:
    response_id = scope["path_params"]["response_id"]
    stored = await worker.responses.get(response_id, scope)
    if stored is None:
        raise _unknown(response_id)
    return stored


def _unknown(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id}' not found.")
