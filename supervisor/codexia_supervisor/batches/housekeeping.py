"""What a start finds of batches and files goes on, or goes; so does what has become old."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from codexia.errors import StateUnavailable
from codexia_supervisor.batches.states import ACTIVE
from codexia_supervisor.batches.stores import batches_in, files_in
from codexia_supervisor.state_file import RETRY_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia_supervisor.batches.content import Contents
    from codexia_supervisor.batches.states import BatchRecord
    from codexia_supervisor.state_file import StateFile

logger = logging.getLogger("codexia.supervisor")

PERIOD_S: Final = 600.0


class Housekeeping:
    """Removes what nobody needs: rows, contents, and batches that nobody was told of."""

    def __init__(
        self,
        file: StateFile,
        contents: Contents,
        clock: Callable[[], float],
        unchecked: Callable[[BatchRecord], None],
    ) -> None:
        """Do nothing until asked.

        Args:
            file: has the rows.
            contents: of uploads and batches.
            clock: unix seconds.
            unchecked: takes the batches whose check was interrupted.
        """
        self._file = file
        self._contents = contents
        self._clock = clock
        self._unchecked = unchecked
        self._recovering = asyncio.Lock()
        self._recovered = False
        self._due = asyncio.Event()

    async def recover(self) -> None:
        """Once after a start: forget what nobody was told of, go on with what was begun.

        Nothing may be added before: it would look like what was left behind.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        async with self._recovering:
            if self._recovered:
                return
            async with batches_in(self._file) as store:
                for batch in await store.in_states("validating"):
                    if batch.dialect == "messages":
                        await store.forget(batch.number)
                    else:
                        self._unchecked(batch)
                running = await store.in_states("validating", *ACTIVE)
            async with files_in(self._file) as files:
                needed = {*(await files.ids()), *(batch.id for batch in running)}
            removed = await self._contents.remove_others(needed)
            if removed:
                logger.info("contents removed that nothing refers to count=%s", removed)
            self._recovered = True

    def soon(self) -> None:
        """Take note that there is something to remove."""
        self._due.set()

    async def run(self) -> None:
        """Keep house, until cancelled."""
        while True:
            self._due.clear()
            if self._contents.exists:
                try:
                    await self.recover()
                    await self._sweep()
                except StateUnavailable:
                    await asyncio.sleep(RETRY_S)  # the file's `problem` has it
                    continue
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_S):
                    await self._due.wait()

    async def _sweep(self) -> None:
        async with batches_in(self._file) as store:
            await store.archive(int(self._clock()))
        more = True
        while more:
            async with batches_in(self._file) as store:
                more = await store.sweep()
