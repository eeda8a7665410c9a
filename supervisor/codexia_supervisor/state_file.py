"""state.db as the supervisor has it: opened when first needed, or broken.

A state.db that cannot be used costs what is kept there, never a request: each use fails at once
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
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codexia_supervisor.state import State

logger = logging.getLogger("codexia.supervisor")

RETRY_S: Final = 2.0


class StateFile:
    """The way of everyone in this process to state.db.

    Attributes:
        problem: why nothing can be kept or found now, "" when all is well.
    """

    def __init__(self, path: Path) -> None:
        self.problem = ""
        self._path = path
        self._opening = asyncio.Lock()
        self._state: State | None = None
        self._retry_at = 0.0

    @property
    def exists(self) -> bool:
        """Whether there is anything to look into, so that looking does not create it."""
        return self._state is not None or self._path.exists()

    @asynccontextmanager
    async def using(self) -> AsyncGenerator[State]:
        """Give the open state; a failure closes it, so that a mended file is found.

        Raises:
            StateUnavailable: state.db cannot be used.
        """
        if time.monotonic() < self._retry_at:
            raise StateUnavailable(self.problem)
        state = None
        try:
            state = await self._opened()
            yield state
        except StateUnavailable as error:
            # Only who finds it broken first closes it: another may have opened it anew since.
            if state is self._state:
                self._retry_at = time.monotonic() + RETRY_S
                if error.message != self.problem:
                    logger.error("%s", error.message)  # noqa: TRY400 - the text says it all
                self.problem = error.message
                await self.close()
            raise
        self.problem = ""

    async def close(self) -> None:
        """Close the file; the next use opens it again."""
        state, self._state = self._state, None
        if state is not None:
            await state.close()

    async def _opened(self) -> State:
        async with self._opening:
            if self._state is None:
                # In a thread: the import of SQLAlchemy takes longer than the loop may stand still.
                await asyncio.to_thread(import_module, "codexia_supervisor.state")
                from codexia_supervisor.state import State  # noqa: PLC0415

                self._state = await State.open(self._path)
            return self._state
