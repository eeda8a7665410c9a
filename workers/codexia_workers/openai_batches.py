"""`/v1/batches`: OpenAI's Batch API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import QueryParams

from codexia.batches import BatchOfFile
from codexia.dialects.openai_batches import (
    COMPLETION_WINDOW,
    ENDPOINTS,
    batch_list,
    batch_object,
)
from codexia.dialects.params import Param
from codexia_workers.answers import send_json
from codexia_workers.body import read_json
from codexia_workers.paging import page_limit
from codexia_workers.stored_batches import StoredBatches

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia_workers.worker import Worker

MAX_PAGE: Final = 100
MAX_METADATA: Final = 16
MAX_METADATA_NAME: Final = 64
MAX_METADATA_VALUE: Final = 512


class OpenAIBatches:
    """The ASGI apps of the endpoints; the supervisor has the batches."""

    def __init__(self, worker: Worker) -> None:
        self._batches = StoredBatches(worker, "openai")

    async def create(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `POST /v1/batches`; the lines of the file are checked afterwards.

        Raises:
            BadRequest: a parameter makes no sense.
            NotFound: the caller has no such file.
        """
        payload = await read_json(scope, receive)
        batch = await self._batches.create_of_file(scope, _wanted(Param(payload)))
        await send_json(scope, send, batch_object(batch))

    async def list(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `GET /v1/batches`.

        Raises:
            BadRequest: `limit` makes no sense.
            NotFound: the caller has no batch `after`.
        """
        query = QueryParams(scope["query_string"])
        cursor = {"after": query["after"]} if "after" in query else {}
        page = await self._batches.list(scope, cursor, page_limit(query, MAX_PAGE))
        await send_json(scope, send, batch_list(page))

    async def get(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `GET /v1/batches/{id}`.

        Raises:
            NotFound: the caller has none of this id.
        """
        batch = await self._batches.get(scope, scope["path_params"]["batch_id"])
        await send_json(scope, send, batch_object(batch))

    async def cancel(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `POST /v1/batches/{id}/cancel`; requests that run may finish.

        Raises:
            NotFound: the caller has none of this id.
        """
        batch = await self._batches.cancel(scope, scope["path_params"]["batch_id"])
        await send_json(scope, send, batch_object(batch))


def _wanted(body: Param) -> BatchOfFile:
    endpoint = body["endpoint"]
    if endpoint.text() not in ENDPOINTS:
        raise endpoint.invalid(f"batches are served for {' and '.join(ENDPOINTS)}")
    window = body["completion_window"]
    if window.text() != COMPLETION_WINDOW:
        raise window.invalid(f"must be '{COMPLETION_WINDOW}'")
    return BatchOfFile(
        input_file_id=body["input_file_id"].text(),
        endpoint=endpoint.value,
        metadata=_metadata(body["metadata"]),
    )


def _metadata(metadata: Param) -> dict[str, str] | None:
    if not metadata.present:
        return None
    pairs: dict[str, Any] = metadata.object()
    if len(pairs) > MAX_METADATA:
        raise metadata.invalid(f"at most {MAX_METADATA} pairs")
    for name in pairs:
        if len(name) > MAX_METADATA_NAME or len(metadata[name].text()) > MAX_METADATA_VALUE:
            raise metadata.invalid(
                f"names have at most {MAX_METADATA_NAME} characters, values {MAX_METADATA_VALUE}"
            )
    return pairs
