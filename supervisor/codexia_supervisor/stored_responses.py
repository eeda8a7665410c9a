"""The stored responses as the supervisor has them: found, put and pruned."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from codexia.errors import StateUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from codexia.settings import Settings
    from codexia_supervisor.response_store import ResponseStore
    from codexia_supervisor.state_file import StateFile

logger = logging.getLogger("codexia.supervisor")

PRUNE_EVERY_S: Final = 600.0
PRUNE_SOON_S: Final = 1.0
SLACK: Final = 16
"""A sixteenth of the bound may be put between two prunings."""


class StoredResponses:
    """The way of the control API to the store."""

    def __init__(self, file: StateFile, settings: Callable[[], Settings]) -> None:
        self._file = file
        self._settings = settings
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
        if not self._file.exists:
            return None
        async with self._using() as store:
            return await store.get(key_name, response_id, self._oldest)

    async def items(self, key_name: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Return the items that are known among these ids, as they were put.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        if not self._file.exists:
            return {}
        async with self._using() as store:
            return await store.items(key_name, ids, self._oldest)

    async def delete(self, key_name: str, response_id: str) -> bool:
        """Forget a response; return whether there was one.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        if not self._file.exists:
            return False
        async with self._using() as store:
            return await store.delete(key_name, response_id, self._oldest)

    async def run(self) -> None:
        """Keep the store within its bounds, until cancelled."""
        while True:
            if self._file.exists:
                await self._prune()
            try:
                async with asyncio.timeout(PRUNE_EVERY_S):
                    await self._prune_soon.wait()
                # Those who wait for their answer first.
                await asyncio.sleep(PRUNE_SOON_S)
            except TimeoutError:
                continue

    def prune_soon(self) -> None:
        """Take on bounds that may have changed."""
        self._prune_soon.set()

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
            return  # the file's `problem` has it
        if pruned:
            logger.info("stored responses pruned count=%s", pruned)

    @asynccontextmanager
    async def _using(self) -> AsyncGenerator[ResponseStore]:
        """Give the open store.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        async with self._file.using() as state:
            from codexia_supervisor.response_store import ResponseStore  # noqa: PLC0415

            yield ResponseStore(state)
