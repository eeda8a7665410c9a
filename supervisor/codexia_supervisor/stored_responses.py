"""The stored responses as the supervisor has them: opened when first needed, pruned, or broken.

A state.db that cannot be used costs what is stored, never a request: each call fails at once
with the reason, `problem` shows it, and after `RETRY_S` the file is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Final

from codexia.errors import StateUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from pathlib import Path

    from codexia.config import Settings
    from codexia_supervisor.response_store import ResponseStore
    from codexia_supervisor.state import State

logger = logging.getLogger("codexia.supervisor")

RETRY_S: Final = 5.0
PRUNE_EVERY_S: Final = 600.0
PRUNE_SOON_S: Final = 1.0
SLACK: Final = 16
"""A sixteenth of the bound may be put between two prunings."""


class StoredResponses:
    """The way of the control API to the store.

    Attributes:
        problem: why nothing can be stored or found now, "" when all is well.
    """

    def __init__(self, path: Path, settings: Callable[[], Settings]) -> None:
        self.problem = ""
        self._path = path
        self._settings = settings
        self._opening = asyncio.Lock()
        self._state: State | None = None
        self._store: ResponseStore | None = None
        self._retry_at = 0.0
        self._put_bytes = 0
        self._prune_soon = asyncio.Event()

    async def put(
        self,
        key_name: str,
        response_id: str,
        content: bytes | bytearray,
        items: Mapping[str, bytes] | None = None,
    ) -> None:
        """Keep a response and its output items by id, unless there is to be no room for any.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        if not self._max_bytes:
            return
        async with self._using() as store:
            await store.put(key_name, response_id, content, int(time.time()), items)
        self._put_bytes += len(content)
        if self._put_bytes * SLACK > self._max_bytes:
            self.prune_soon()

    async def get(self, key_name: str, response_id: str) -> bytes | None:
        """Return a response as it was put, None where there is none.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        if not self._exists:
            return None
        async with self._using() as store:
            return await store.get(key_name, response_id, self._oldest)

    async def items(self, key_name: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Return the items that are known among these ids, as they were put.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        if not self._exists:
            return {}
        async with self._using() as store:
            return await store.items(key_name, ids, self._oldest)

    async def delete(self, key_name: str, response_id: str) -> bool:
        """Forget a response; return whether there was one.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        if not self._exists:
            return False
        async with self._using() as store:
            return await store.delete(key_name, response_id, self._oldest)

    async def run(self) -> None:
        """Keep the store within its bounds, until cancelled; then close it."""
        try:
            while True:
                if self._exists:
                    await self._prune()
                try:
                    async with asyncio.timeout(PRUNE_EVERY_S):
                        await self._prune_soon.wait()
                    # Those who wait for their answer first.
                    await asyncio.sleep(PRUNE_SOON_S)
                except TimeoutError:
                    continue
        finally:
            await self._close()

    def prune_soon(self) -> None:
        """Take on bounds that may have changed."""
        self._prune_soon.set()

    @property
    def _exists(self) -> bool:
        """Whether there is anything to look into, so that looking does not create it."""
        return self._store is not None or self._path.exists()

    @property
    def _max_bytes(self) -> int:
        return self._settings().response_store_max_mb * 2**20

    @property
    def _oldest(self) -> int:
        return int(time.time() - self._settings().response_store_max_age_h * 3600)

    async def _prune(self) -> None:
        self._prune_soon.clear()
        self._put_bytes = 0
        try:
            async with self._using() as store:
                pruned = await store.prune(self._oldest, self._max_bytes)
        except StateUnavailable:
            return  # `problem` has it
        if pruned:
            logger.info("stored responses pruned count=%s", pruned)

    @asynccontextmanager
    async def _using(self) -> AsyncGenerator[ResponseStore]:
        """Give the open store; a failure closes it, so that a mended file is found.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        if time.monotonic() < self._retry_at:
            raise StateUnavailable(self.problem)
        try:
            yield await self._opened()
        except StateUnavailable as error:
            self._retry_at = time.monotonic() + RETRY_S
            if error.message != self.problem:
                logger.error("%s", error.message)  # noqa: TRY400 - the text says it all
            self.problem = error.message
            await self._close()
            raise
        self.problem = ""

    async def _opened(self) -> ResponseStore:
        async with self._opening:
            if self._store is None:
                # In a thread: the import of SQLAlchemy takes longer than the loop may stand still.
                await asyncio.to_thread(import_module, "codexia_supervisor.response_store")
                from codexia_supervisor.response_store import ResponseStore  # noqa: PLC0415
                from codexia_supervisor.state import State  # noqa: PLC0415

                self._state = await State.open(self._path)
                self._store = ResponseStore(self._state)
            return self._store

    async def _close(self) -> None:
        state, self._state, self._store = self._state, None, None
        if state is not None:
            await state.close()
