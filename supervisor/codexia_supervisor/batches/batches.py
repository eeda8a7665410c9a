"""Batches as their owners see them: made, listed, canceled, deleted, read."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.batches import BatchPage
from codexia.errors import BadRequest, Conflict, NotFound, RequestTooLarge, StateUnavailable
from codexia_supervisor.batches.checking import check
from codexia_supervisor.batches.content import ContentLost
from codexia_supervisor.batches.files import Files
from codexia_supervisor.batches.housekeeping import Housekeeping
from codexia_supervisor.batches.results import result_lines
from codexia_supervisor.batches.states import ACTIVE, LIFETIME_S
from codexia_supervisor.batches.stores import batches_in
from codexia_supervisor.state_file import RETRY_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from codexia.batches import Batch, BatchOfFile
    from codexia_supervisor.batches.checking import Found, Verdict
    from codexia_supervisor.batches.content import Contents
    from codexia_supervisor.batches.dispatcher import Dispatcher
    from codexia_supervisor.batches.states import BatchRecord
    from codexia_supervisor.state_file import StateFile

logger = logging.getLogger("codexia.supervisor")

MAX_BATCH_BYTES: Final = 256 * 1024 * 1024
CHECKS_AT_ONCE: Final = 1
"""One check keeps one core busy; live requests need the others."""


class Batches:
    """The clients' side of batches. Where `key` is given, those of others are as if not there.

    Attributes:
        files: of which batches can be made, and which they make.
    """

    def __init__(
        self,
        file: StateFile,
        contents: Contents,
        dispatcher: Dispatcher,
        clock: Callable[[], float],
    ) -> None:
        self._file = file
        self._contents = contents
        self._dispatcher = dispatcher
        self._clock = clock
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._unchecked: asyncio.Queue[BatchRecord] = asyncio.Queue()
        self._house = Housekeeping(file, contents, clock, self._unchecked.put_nowait)
        self.files = Files(file, contents, self._house, clock)

    async def run(self) -> None:
        """Check the files of new batches and remove what nobody needs, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._house.run())
            while True:
                batch = await self._unchecked.get()
                try:
                    await self._accept(batch)
                except StateUnavailable as error:
                    logger.warning("batch waits to be checked id=%s: %s", batch.id, error.message)
                    await asyncio.sleep(RETRY_S)
                    self._unchecked.put_nowait(batch)

    async def create(self, key: str, content: AsyncIterable[bytes]) -> Batch:
        """Return a new batch of `{"requests": [...]}`; what is wrong leaves nothing behind.

        Raises:
            BadRequest: a request of it is wrong, or its form; says which.
            RequestTooLarge: it is over the limits.
            StateUnavailable: nothing can be kept.
        """
        await self._house.recover()
        batch_id = f"msgbatch_{secrets.token_hex(12)}"
        await self._contents.write(batch_id, content, MAX_BATCH_BYTES)
        batch: BatchRecord | None = None
        try:
            batch = await self._add(batch_id, key, "messages", "/v1/messages")
            accepted, verdict = await self._accept(batch)
            _refuse(verdict)
        except BaseException:
            await self._contents.remove(batch_id)
            if batch is not None:
                with suppress(StateUnavailable):  # a start forgets it too
                    await self._forget(batch)
            raise
        return self._dispatcher.described(accepted)

    async def create_of_file(self, key: str, wanted: BatchOfFile) -> Batch:
        """Return a new batch of the lines of a file, which are checked later.

        Raises:
            NotFound: there is no such file.
            BadRequest: it is the result of a batch.
            StateUnavailable: nothing can be kept.
        """
        await self._house.recover()
        file, of_batch = await self.files.find(wanted.input_file_id, key)
        if of_batch is not None:
            raise BadRequest("the input file is the result of a batch", param="input_file_id")
        batch_id = f"batch_{secrets.token_hex(12)}"
        try:
            await self._contents.link(file.id, batch_id)
        except ContentLost as error:
            raise NotFound(str(error), param="input_file_id") from error
        metadata = orjson.dumps(wanted.metadata).decode() if wanted.metadata is not None else None
        try:
            batch = await self._add(
                *(batch_id, key, "openai", wanted.endpoint),
                input_file_id=file.id,
                batch_metadata=metadata,
            )
        except BaseException:
            await self._contents.remove(batch_id)
            raise
        self._unchecked.put_nowait(batch)
        return self._dispatcher.described(batch)

    async def page(
        self, key: str | None, dialect: str | None, after: str, before: str, limit: int
    ) -> BatchPage:
        """Return batches, newest first.

        Raises:
            NotFound: there is no batch `after` or `before`.
            StateUnavailable: nothing can be read.
        """
        if not self._contents.exists:
            if after or before:
                raise NotFound(f"there is no batch {after or before!r}")
            return BatchPage(batches=(), has_more=False)
        await self._house.recover()
        async with batches_in(self._file) as store:
            records, has_more = await store.page(key, dialect, after, before, limit)
        batches = tuple(self._dispatcher.described(record) for record in records)
        return BatchPage(batches=batches, has_more=has_more)

    async def get(self, batch_id: str, key: str | None) -> Batch:
        """Return a batch.

        Raises:
            NotFound: there is none.
            StateUnavailable: nothing can be read.
        """
        return self._dispatcher.described(await self._find(batch_id, key))

    async def cancel(self, batch_id: str, key: str | None) -> Batch:
        """Return a batch after no item of it begins any more; one that is over stays as it is.

        Raises:
            NotFound: there is none.
            StateUnavailable: nothing can be written.
        """
        batch = await self._find(batch_id, key)
        if batch.state in ("validating", "in_progress") and batch.cancel_initiated_at is None:
            async with batches_in(self._file) as store:
                batch = await store.cancel(batch.number, int(self._clock()))
            self._dispatcher.put(batch)
        return self._dispatcher.described(batch)

    async def delete(self, batch_id: str, key: str | None) -> None:
        """Forget a batch.

        Raises:
            NotFound: there is none.
            Conflict: it is not over.
            StateUnavailable: nothing can be written.
        """
        batch = await self._find(batch_id, key)
        if batch.state in ("validating", *ACTIVE):
            raise Conflict(f"batch {batch_id} has not ended; cancel it first")
        await self._forget(batch)

    async def results(self, batch_id: str, key: str | None) -> AsyncGenerator[bytes]:
        """Return the results of an ended batch by line.

        Raises:
            NotFound: there is no such batch, or its results were dropped.
            Conflict: it has not ended.
            StateUnavailable: nothing can be read.
        """
        batch = await self._find(batch_id, key)
        if batch.state != "ended":
            raise Conflict(f"batch {batch_id} has no results before it ends")
        if batch.archived_at is not None:
            raise NotFound(f"the results of batch {batch_id} were kept for 29 days and are gone")
        return result_lines(self._file, batch)

    async def _find(self, batch_id: str, key: str | None) -> BatchRecord:
        found = None
        if self._contents.exists:
            await self._house.recover()
            async with batches_in(self._file) as store:
                found = await store.find(batch_id, key)
        if found is None:
            raise NotFound("there is no such batch")
        return found

    async def _add(
        self, batch_id: str, key: str, dialect: str, endpoint: str, **values: Any
    ) -> BatchRecord:
        now = int(self._clock())
        async with batches_in(self._file) as store:
            return await store.create(
                {
                    "id": batch_id,
                    "key_name": key,
                    "dialect": dialect,
                    "endpoint": endpoint,
                    "state": "validating",
                    "created_at": now,
                    "expires_at": now + LIFETIME_S,
                    **values,
                }
            )

    async def _accept(self, batch: BatchRecord) -> tuple[BatchRecord, Verdict]:
        """Check a new batch, and let it run or fail."""

        async def add(found: list[Found]) -> None:
            async with batches_in(self._file) as store:
                await store.add_items(batch.number, found)

        async with self._checks:
            await self._remove_items(batch)  # of a check that broke off
            path = self._contents.path(batch.id)
            verdict = await check(batch.dialect, path, batch.endpoint, add)
        if verdict.problems and batch.dialect == "messages":
            return batch, verdict
        async with batches_in(self._file) as store:
            if verdict.problems:
                batch = await store.fail(batch.number, verdict.problems, int(self._clock()))
            else:
                total, model = verdict.items, verdict.model
                batch = await store.begin(batch.number, total, model, int(self._clock()))
        if batch.state == "failed":
            await self._contents.remove(batch.id)
            self._house.soon()
        self._dispatcher.put(batch)
        logger.info("batch checked id=%s state=%s items=%s", batch.id, batch.state, verdict.items)
        return batch, verdict

    async def _remove_items(self, batch: BatchRecord) -> None:
        more = True
        while more:
            async with batches_in(self._file) as store:
                more = await store.remove_items(batch.number)

    async def _forget(self, batch: BatchRecord) -> None:
        async with batches_in(self._file) as store:
            await store.forget(batch.number)
        self._house.soon()


def _refuse(verdict: Verdict) -> None:
    """Raise what is wrong with the requests of a batch, if anything is."""
    if not verdict.problems:
        return
    problem = verdict.problems[0]
    refusal = RequestTooLarge if problem.code == "request_too_large" else BadRequest
    raise refusal(problem.message, param=problem.param)
