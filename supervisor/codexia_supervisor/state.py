"""state.db: what has to survive a restart, behind SQLAlchemy.

Only the supervisor opens it. It is SQLite, but what is specific to SQLite stays in this file:
the statements of its users run on PostgreSQL too. Importing this module costs 20 MB and a
third of a second, so nobody does before there is something to keep.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, event, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from codexia.errors import StateUnavailable
from codexia_supervisor.batches.tables import TABLES as BATCH_TABLES
from codexia_supervisor.tables import ITEMS, METADATA, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection


async def _add_items(connection: AsyncConnection) -> None:
    """Make room for items. Those of the responses that are there stay unknown until they age."""
    await connection.run_sync(ITEMS.create)


async def _add_batches(connection: AsyncConnection) -> None:
    for table in BATCH_TABLES:
        await connection.run_sync(table.create)


MIGRATIONS: tuple[Callable[[AsyncConnection], Awaitable[None]], ...] = (_add_items, _add_batches)
"""`MIGRATIONS[n]` brings a file of version n + 1 to version n + 2, in one transaction."""

NEWEST: Final = len(MIGRATIONS) + 1

LOCK_WAIT_MS: Final = 500
"""Nobody else should have the file open; one who looks into it by hand gets this long."""

WAL_LIMIT_BYTES: Final = 16 * 1024 * 1024

PRAGMAS: Final = (
    # Pruning then gives the space back. Before the first table, or it does nothing.
    "PRAGMA auto_vacuum = FULL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",  # which SQLite else only parses
    f"PRAGMA busy_timeout = {LOCK_WAIT_MS}",
    f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}",
)


class State:
    """An open state.db; its one connection serves one transaction at a time, first come first.

    So nobody ever meets a lock of ours, and transactions have to be short.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        url = URL.create("sqlite+aiosqlite", database=str(path))
        self._engine = create_async_engine(url, pool_size=1, max_overflow=0)
        event.listen(self._engine.sync_engine, "connect", _prepare)
        event.listen(self._engine.sync_engine, "begin", _begin)
        self._durable = self._engine.execution_options(durable=True)

    @classmethod
    async def open(cls, path: Path) -> State:
        """Return the state at `path`, created or brought to the newest schema.

        Raises:
            StateUnavailable: it cannot be used; says what to do.
        """
        _make_private(path)
        state = cls(path)
        try:
            async with state.transaction() as connection:
                await _migrate(connection, path)
        except BaseException:
            await state.close()
            raise
        return state

    @asynccontextmanager
    async def transaction(self, *, durable: bool = False) -> AsyncGenerator[AsyncConnection]:
        """Give a connection whose statements count together or not at all.

        Args:
            durable: it outlives a crash of the host too, which takes some milliseconds. Without
                it that may lose the last moments, a crash of the process nothing.

        Raises:
            StateUnavailable: the database failed.
        """
        engine = self._durable if durable else self._engine
        try:
            async with engine.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            raise StateUnavailable(_problem(self._path, error)) from error

    async def close(self) -> None:
        """Close the file."""
        await self._engine.dispose()


def _make_private(path: Path) -> None:
    """Let only this user read the file, which SQLite's other files then follow."""
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be used: {error.strerror}") from error


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # or the driver begins transactions where it sees fit
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    durable = connection.get_execution_options().get("durable")
    connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN")


async def _migrate(connection: AsyncConnection, path: Path) -> None:
    await connection.run_sync(SCHEMA_VERSION.create, checkfirst=True)
    version = await connection.scalar(select(SCHEMA_VERSION.c.version))
    if version is None:
        await connection.run_sync(METADATA.create_all)
        await connection.execute(insert(SCHEMA_VERSION).values(version=NEWEST))
        return
    if version > NEWEST:
        raise StateUnavailable(
            f"{path} is of a newer codexia (version {version}, this one knows {NEWEST}); "
            "upgrade, or move the file away to begin anew"
        )
    for migrate in MIGRATIONS[version - 1 :]:
        await migrate(connection)
    if version < NEWEST:
        await connection.execute(update(SCHEMA_VERSION).values(version=NEWEST))


def _problem(path: Path, error: Exception) -> str:
    """Return the driver's own word; the text of SQLAlchemy's errors may hold what was stored."""
    reason = getattr(error, "orig", None) or type(error).__name__
    steps = {
        "locked": "close whatever has it open",
        "full": "make room on the disk",
        "disk I/O": "see to it that the disk has room and works",
        "readonly": "see to it that it is writable",
    }
    said = (step for word, step in steps.items() if word in str(reason))
    return f"{path} cannot be used: {reason}; {next(said, 'move it away to begin anew')}"
