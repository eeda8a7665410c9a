"""state.db: what has to survive a restart, behind SQLAlchemy.

Only the supervisor opens it. It is SQLite, but what is specific to SQLite stays in this file:
the statements of its users run on PostgreSQL too. Importing this module costs 20 MB and a
third of a second, so nobody does before there is something to keep.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from codexia.errors import StateUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

METADATA: Final = MetaData()

_BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only by INTEGER

SCHEMA_VERSION: Final = Table(
    "schema_version", METADATA, Column("version", Integer, nullable=False)
)

RESPONSES: Final = Table(
    "responses",
    METADATA,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    Column("key_name", String(64), nullable=False),
    Column("response_id", String(160), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    UniqueConstraint("key_name", "response_id"),
    Index("responses_by_age", "created_at"),
)
"""Stored responses; `number` grows with time, `content` is compressed, `size_bytes` its size."""

ITEMS: Final = Table(
    "items",
    METADATA,
    Column("response", _BIG, ForeignKey(RESPONSES.c.number, ondelete="CASCADE"), primary_key=True),
    Column("item_id", String(160), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Index("items_by_id", "item_id"),
)
"""Output items of stored responses, compressed; they go when their response goes."""


async def _add_items(connection: AsyncConnection) -> None:
    """Make room for items. Those of the responses that are there stay unknown until they age."""
    await connection.run_sync(ITEMS.create)


MIGRATIONS: tuple[Callable[[AsyncConnection], Awaitable[None]], ...] = (_add_items,)
"""`MIGRATIONS[n]` brings a file of version n + 1 to version n + 2, in one transaction."""

NEWEST: Final = len(MIGRATIONS) + 1

LOCK_WAIT_MS: Final = 500
"""Nobody else should have the file open; one who looks into it by hand gets this long."""

WAL_LIMIT_BYTES: Final = 16 * 1024 * 1024

PRAGMAS: Final = (
    # Pruning then gives the space back. Before the first table, or it does nothing.
    "PRAGMA auto_vacuum = FULL",
    "PRAGMA journal_mode = WAL",
    # A crash of the process loses nothing; one of the host may lose the last moments, which
    # costs a client the whole input sent again.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",  # which SQLite else only parses
    f"PRAGMA busy_timeout = {LOCK_WAIT_MS}",
    f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}",
)


class State:
    """An open state.db; its one connection serves one transaction at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        url = URL.create("sqlite+aiosqlite", database=str(path))
        self._engine = create_async_engine(url, pool_size=1, max_overflow=0)
        event.listen(self._engine.sync_engine, "connect", _prepare)
        event.listen(self._engine.sync_engine, "begin", _begin)

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
    async def transaction(self) -> AsyncGenerator[AsyncConnection]:
        """Give a connection whose statements count together or not at all.

        Raises:
            StateUnavailable: the database failed.
        """
        try:
            async with self._engine.begin() as connection:
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
    step = "close whatever has it open" if "locked" in str(reason) else "move it away to begin anew"
    return f"{path} cannot be used: {reason}; {step}"
