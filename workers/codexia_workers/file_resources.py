"""`/v1/files`: OpenAI's Files API, for the files of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import QueryParams

from codexia.dialects.openai_batches import deleted_file, file_list, file_object
from codexia.errors import BadRequest, NotFound
from codexia_workers.answers import envelope_of, send_json
from codexia_workers.form_upload import FileForm
from codexia_workers.paging import page_limit, page_order
from codexia_workers.pieces import send_pieces
from codexia_workers.stored_batches import StoredFiles

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive, Scope, Send

    from codexia_workers.worker import Worker

MAX_PAGE: Final = 10_000


class Files:
    """The ASGI apps of the endpoints; the supervisor has the files."""

    def __init__(self, worker: Worker) -> None:
        self._files = StoredFiles(worker)

    async def create(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `POST /v1/files`; the file streams through.

        Raises:
            CodexiaError: what is wrong with the form, or why nothing can be stored.
        """
        _require_openai(scope)
        form = FileForm(scope, receive)
        await form.find_file()
        file = await self._files.create(scope, form.filename or "", _content(form))
        await send_json(scope, send, file_object(file))

    async def list(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `GET /v1/files`.

        Raises:
            BadRequest: the query makes no sense.
            NotFound: the caller has no file `after`.
        """
        _require_openai(scope)
        query = QueryParams(scope["query_string"])
        page = await self._files.list(
            scope,
            limit=str(page_limit(query, MAX_PAGE, MAX_PAGE)),
            order=page_order(query),
            **{name: query[name] for name in ("after", "purpose") if name in query},
        )
        await send_json(scope, send, file_list(page))

    async def get(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `GET /v1/files/{id}`.

        Raises:
            NotFound: the caller has none of this id.
        """
        _require_openai(scope)
        file = await self._files.get(scope, scope["path_params"]["file_id"])
        await send_json(scope, send, file_object(file))

    async def content(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `GET /v1/files/{id}/content`.

        Raises:
            NotFound: the caller has none of this id.
        """
        _require_openai(scope)
        file_id = scope["path_params"]["file_id"]
        file = await self._files.get(scope, file_id)
        headers = [
            (b"content-type", b"application/octet-stream"),
            # So that a client sees if the content breaks off.
            (b"content-length", str(file.size_bytes).encode()),
        ]
        async with self._files.content(scope, file_id) as content:
            await send_pieces(scope, receive, send, headers, content)

    async def delete(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve `DELETE /v1/files/{id}`.

        Raises:
            NotFound: the caller has none of this id.
        """
        _require_openai(scope)
        file_id = scope["path_params"]["file_id"]
        await self._files.delete(scope, file_id)
        await send_json(scope, send, deleted_file(file_id))


async def _content(form: FileForm) -> AsyncGenerator[bytes]:
    """Give the file, and refuse it at its end, before it is stored, if it is for nothing here."""
    _check_purpose(form, complete=False)
    async for piece in form.content():
        yield piece
    _check_purpose(form, complete=True)


def _check_purpose(form: FileForm, *, complete: bool) -> None:
    purpose = form.fields.get("purpose")
    if purpose is None and complete:
        raise BadRequest(
            "missing required parameter: 'purpose'; expected 'batch'",
            code="missing_required_parameter",
            param="purpose",
        )
    if purpose not in {None, "batch"}:
        raise BadRequest(
            f"files are kept for batches only: purpose must be 'batch', not {purpose!r:.80}",
            code="invalid_value",
            param="purpose",
        )


def _require_openai(scope: Scope) -> None:
    if envelope_of(scope) == "anthropic":
        raise NotFound(
            "the Files API of Anthropic is not served; send documents and images in the message",
            code="not_found",
        )
