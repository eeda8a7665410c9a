"""The statements on batches and files of an open state.db, imported when they are first needed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codexia_supervisor.batches.file_store import FileStore
    from codexia_supervisor.batches.store import BatchStore
    from codexia_supervisor.state_file import StateFile


@asynccontextmanager
async def batches_in(file: StateFile) -> AsyncGenerator[BatchStore]:
    """Give the batches.

    Raises:
        StateUnavailable: state.db cannot be used.
    """
    async with file.using() as state:
        from codexia_supervisor.batches.store import BatchStore  # noqa: PLC0415

        yield BatchStore(state)


@asynccontextmanager
async def files_in(file: StateFile) -> AsyncGenerator[FileStore]:
    """Give the files.

    Raises:
        StateUnavailable: state.db cannot be used.
    """
    async with file.using() as state:
        from codexia_supervisor.batches.file_store import FileStore  # noqa: PLC0415

        yield FileStore(state)
