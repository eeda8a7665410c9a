"""The rows of uploaded files and of the files that batches make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, select

from codexia.batches import StoredFile
from codexia.errors import NotFound
from codexia_supervisor.batches.tables import FILES

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from codexia_supervisor.state import State

_F: Final = FILES.c
_TOLD: Final = (_F.id, _F.filename, _F.purpose, _F.size_bytes, _F.created_at)


class FileStore:
    """Files of all keys. Where `key` is given, those of another key are as if they were not."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, key_name: str, file: StoredFile) -> None:
        """Keep a file that has content of its own."""
        async with self._state.transaction(durable=True) as connection:
            await connection.execute(insert(FILES).values(**file.model_dump(), key_name=key_name))

    async def find(self, file_id: str, key: str | None) -> tuple[StoredFile, int | None] | None:
        """Return a file, and the number of the batch that it is of."""
        query = select(*_TOLD, _F.batch).where(_F.id == file_id, *_owned(key))
        async with self._state.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (_file(row), row.batch)

    async def page(
        self, key: str | None, purpose: str, after: str, limit: int, *, ascending: bool
    ) -> tuple[list[StoredFile], bool]:
        """Return files by age, and whether there are more; "" stands for any purpose."""
        query = select(*_TOLD).where(*_owned(key))
        if purpose:
            query = query.where(_F.purpose == purpose)
        async with self._state.transaction() as connection:
            if after:
                at = await connection.scalar(select(_F.number).where(_F.id == after, *_owned(key)))
                if at is None:
                    raise NotFound(f"there is no file {after!r}", param="after")
                query = query.where(_F.number > at if ascending else _F.number < at)
            order = _F.number if ascending else _F.number.desc()
            rows = (await connection.execute(query.order_by(order).limit(limit + 1))).all()
        files = [_file(row) for row in rows[:limit]]
        return files, len(rows) > limit

    async def delete(self, file_id: str) -> None:
        """Forget a file."""
        async with self._state.transaction(durable=True) as connection:
            await connection.execute(delete(FILES).where(_F.id == file_id))

    async def ids(self) -> set[str]:
        """Return the ids of all files that have content of their own."""
        async with self._state.transaction() as connection:
            return set(await connection.scalars(select(_F.id).where(_F.batch.is_(None))))


def _owned(key: str | None) -> list[ColumnElement[bool]]:
    return [] if key is None else [_F.key_name == key]


def _file(row: Any) -> StoredFile:
    return StoredFile(**{column.name: getattr(row, column.name) for column in _TOLD})
