"""A worker's way to batches and their files, which the supervisor has."""

from __future__ import annotations

import re
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson

from codexia.batches import Batch, BatchPage, FilePage, ItemResult, StoredFile
from codexia.errors import (
    BadRequest,
    CodexiaError,
    NotFound,
    RequestTooLarge,
    StateUnavailable,
    SupervisorUnavailable,
)
from codexia.ndjson import LineSplitter
from codexia_workers.control_connection import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable
    from typing import Literal

    from starlette.types import Scope

    from codexia.batches import BatchOfFile
    from codexia_workers.control_connection import ControlReply
    from codexia_workers.worker import Worker

CALL_PATIENCE: Final = Patience(total_s=30.0)
STREAM_PATIENCE: Final = Patience(silence_s=120.0)
"""Of a call with a long body: the supervisor may check what it got for a while."""

IDS: Final = {
    "messages": re.compile(r"msgbatch_[A-Za-z0-9_-]{1,64}"),
    "openai": re.compile(r"batch_[A-Za-z0-9_-]{1,64}"),
    "file": re.compile(r"file-[A-Za-z0-9_-]{1,80}"),
}
"""What ids look like; nothing else is put into a path."""


class StoredBatches:
    """Batches of one dialect, each for the holder of one local key only."""

    def __init__(self, worker: Worker, dialect: Literal["messages", "openai"]) -> None:
        self._worker = worker
        self._dialect = dialect

    async def create(self, scope: Scope, content: AsyncIterable[bytes]) -> Batch:
        """Return a new batch of requests that stream by.

        Raises:
            CodexiaError: what is wrong with them, or why nothing can be stored.
        """
        answer = await _upload(self._worker, f"/batches?{_query(scope)}", content)
        return Batch.model_validate_json(answer)

    async def create_of_file(self, scope: Scope, wanted: BatchOfFile) -> Batch:
        """Return a new batch of the lines of a file.

        Raises:
            NotFound: the caller has no such file.
            CodexiaError: why nothing can be stored.
        """
        path = f"/batches/from_file?{_query(scope)}"
        answer = await _call(self._worker, "POST", path, wanted.model_dump_json().encode())
        return Batch.model_validate_json(answer)

    async def list(self, scope: Scope, cursor: dict[str, str], limit: int) -> BatchPage:
        """Return a page of the caller's batches.

        Args:
            scope: of the request.
            cursor: `after` or `before` with the id of a batch, or nothing.
            limit: most that the page may have.

        Raises:
            NotFound: the caller has no batch of the cursor's id.
        """
        for name, batch_id in cursor.items():
            self._check(batch_id, name)
        query = _query(scope, dialect=self._dialect, limit=str(limit), **cursor)
        answer = await _call(self._worker, "GET", f"/batches?{query}")
        return BatchPage.model_validate_json(answer)

    async def get(self, scope: Scope, batch_id: str) -> Batch:
        """Return a batch.

        Raises:
            NotFound: the caller has none of this id.
        """
        return Batch.model_validate_json(await self._call_of(scope, "GET", batch_id))

    async def cancel(self, scope: Scope, batch_id: str) -> Batch:
        """Return a batch whose requests that have not begun will not be run.

        Raises:
            NotFound: the caller has none of this id.
        """
        return Batch.model_validate_json(await self._call_of(scope, "POST", batch_id, "/cancel"))

    async def delete(self, scope: Scope, batch_id: str) -> None:
        """Forget a batch.

        Raises:
            NotFound: the caller has none of this id.
            BadRequest: it runs.
        """
        await self._call_of(scope, "DELETE", batch_id)

    @asynccontextmanager
    async def results(
        self, scope: Scope, batch_id: str
    ) -> AsyncGenerator[AsyncGenerator[list[ItemResult]]]:
        """Give the results of a batch, some at a time.

        Raises:
            NotFound: the caller has none of this id.
            BadRequest: it has not ended.
        """
        self._check(batch_id)
        path = f"/batches/{batch_id}/results?{_query(scope)}"
        async with (
            _begun(self._worker, "GET", path) as reply,
            aclosing(_results(reply)) as results,
        ):
            yield results

    async def _call_of(self, scope: Scope, method: str, batch_id: str, rest: str = "") -> bytes:
        self._check(batch_id)
        return await _call(self._worker, method, f"/batches/{batch_id}{rest}?{_query(scope)}")

    def _check(self, batch_id: str, param: str | None = None) -> None:
        if not IDS[self._dialect].fullmatch(batch_id):
            raise NotFound("there is no batch with this id", param=param)


class StoredFiles:
    """Files of batches, each for the holder of one local key only."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def create(self, scope: Scope, name: str, content: AsyncIterable[bytes]) -> StoredFile:
        """Return a new file, of content that streams by.

        Raises:
            CodexiaError: what is wrong with it, or why nothing can be stored.
        """
        answer = await _upload(self._worker, f"/files?{_query(scope, name=name)}", content)
        return StoredFile.model_validate_json(answer)

    async def list(self, scope: Scope, **query: str) -> FilePage:
        """Return a page of the caller's files.

        Raises:
            NotFound: the caller has no file of the cursor's id.
        """
        if "after" in query:
            _check_file(query["after"])
        answer = await _call(self._worker, "GET", f"/files?{_query(scope, **query)}")
        return FilePage.model_validate_json(answer)

    async def get(self, scope: Scope, file_id: str) -> StoredFile:
        """Return what is known of a file.

        Raises:
            NotFound: the caller has none of this id.
        """
        _check_file(file_id)
        answer = await _call(self._worker, "GET", f"/files/{file_id}?{_query(scope)}")
        return StoredFile.model_validate_json(answer)

    async def delete(self, scope: Scope, file_id: str) -> None:
        """Forget a file.

        Raises:
            NotFound: the caller has none of this id.
        """
        _check_file(file_id)
        await _call(self._worker, "DELETE", f"/files/{file_id}?{_query(scope)}")

    @asynccontextmanager
    async def content(self, scope: Scope, file_id: str) -> AsyncGenerator[AsyncIterable[bytes]]:
        """Give the content of a file, piece by piece.

        Raises:
            NotFound: the caller has none of this id.
        """
        _check_file(file_id)
        path = f"/files/{file_id}/content?{_query(scope)}"
        async with _begun(self._worker, "GET", path) as reply:
            yield reply.chunks()


def _check_file(file_id: str) -> None:
    if not IDS["file"].fullmatch(file_id):
        raise NotFound("there is no file with this id")


def _query(scope: Scope, **parameters: str) -> str:
    return urlencode({"key": scope["state"]["key_name"], **parameters})


async def _call(worker: Worker, method: str, path: str, content: bytes = b"") -> bytes:
    async with worker.supervisor.calling(method, path, content, CALL_PATIENCE) as reply:
        answer = await reply.read()
    if reply.status >= 400:
        raise _failure(reply.status, answer)
    return answer


@asynccontextmanager
async def _begun(worker: Worker, method: str, path: str) -> AsyncGenerator[ControlReply]:
    async with worker.supervisor.calling(method, path, b"", STREAM_PATIENCE) as reply:
        if reply.status >= 400:
            raise _failure(reply.status, await reply.read())
        yield reply


async def _results(reply: ControlReply) -> AsyncGenerator[list[ItemResult]]:
    splitter = LineSplitter()
    async for chunk in reply.chunks():
        yield [ItemResult.model_validate(orjson.loads(line)) for line in splitter.feed(chunk)]


async def _upload(worker: Worker, path: str, content: AsyncIterable[bytes]) -> bytes:
    """Return the supervisor's answer to an upload."""
    fault: list[BaseException] = []

    async def noted() -> AsyncGenerator[bytes]:
        # The HTTP client makes an error of its own of whatever ends its body early.
        try:
            async for piece in content:
                yield piece
        except Exception as error:
            fault.append(error)
            raise

    try:
        async with worker.supervisor.calling("POST", path, noted(), STREAM_PATIENCE) as reply:
            answer = await reply.read()
    except SupervisorUnavailable as error:
        if fault:
            # Kept here as well, it would be a cycle that keeps the client's connection open.
            raise fault.pop() from error
        raise
    if reply.status >= 400:
        raise _failure(reply.status, answer)
    return answer


def _failure(status: int, answer: bytes) -> CodexiaError:
    """Return what the supervisor refused a call with."""
    error: dict[str, Any] = orjson.loads(answer)["error"]
    match status:
        case 400 | 409:
            return BadRequest(error["message"], code=error["code"], param=error["param"])
        case 404:
            return NotFound(error["message"], code=error["code"], param=error["param"])
        case 413:
            return RequestTooLarge(error["message"])
        case _:
            return StateUnavailable(error["message"])
