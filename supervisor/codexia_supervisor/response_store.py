"""Stored responses in state.db: written once, read by id, bounded by age and size."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import zstandard
from sqlalchemy import delete, func, insert, select

from codexia_supervisor.state import RESPONSES

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from codexia_supervisor.state import State

COMPRESSION_LEVEL: Final = 3

_OWN = RESPONSES.c


class ResponseStore:
    """What workers put, kept by the name of the local key and the response's id.

    Another key's response is as unknown as one that never was.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def put(
        self, key_name: str, response_id: str, content: bytes | bytearray, now: int
    ) -> None:
        """Keep `content`; it replaces what was there under this id.

        Raises:
            StateUnavailable: the database failed.
        """
        packed = await asyncio.to_thread(_pack, content)
        async with self._state.transaction() as connection:
            await connection.execute(delete(RESPONSES).where(_is(key_name, response_id)))
            await connection.execute(
                insert(RESPONSES).values(
                    key_name=key_name,
                    response_id=response_id,
                    created_at=now,
                    size_bytes=len(packed),
                    content=packed,
                )
            )

    async def get(self, key_name: str, response_id: str, oldest: int) -> bytes | None:
        """Return what was put, None where there is nothing or it was put before `oldest`.

        Raises:
            StateUnavailable: the database failed.
        """
        query = select(_OWN.content).where(_is(key_name, response_id), _OWN.created_at >= oldest)
        async with self._state.transaction() as connection:
            packed = await connection.scalar(query)
        return None if packed is None else await asyncio.to_thread(_unpack, packed)

    async def delete(self, key_name: str, response_id: str, oldest: int) -> bool:
        """Forget a response; return whether there was one that was not older than `oldest`.

        Raises:
            StateUnavailable: the database failed.
        """
        async with self._state.transaction() as connection:
            gone = await connection.execute(
                delete(RESPONSES).where(_is(key_name, response_id), _OWN.created_at >= oldest)
            )
        return gone.rowcount > 0

    async def prune(self, oldest: int, max_bytes: int) -> int:
        """Forget what is older than `oldest`, then the oldest of what is over `max_bytes`.

        Returns:
            How many were forgotten.

        Raises:
            StateUnavailable: the database failed.
        """
        size = func.sum(_OWN.size_bytes).over(order_by=_OWN.number.desc())
        newest_first = select(_OWN.number, size.label("total")).subquery()
        over = select(func.max(newest_first.c.number)).where(newest_first.c.total > max_bytes)
        async with self._state.transaction() as connection:
            aged = await connection.execute(delete(RESPONSES).where(_OWN.created_at < oldest))
            last = await connection.scalar(over)
            crowded = await connection.execute(delete(RESPONSES).where(_OWN.number <= (last or 0)))
        return aged.rowcount + crowded.rowcount


def _is(key_name: str, response_id: str) -> ColumnElement[bool]:
    return (_OWN.key_name == key_name) & (_OWN.response_id == response_id)


def _pack(content: bytes | bytearray) -> bytes:
    return zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(content)


def _unpack(packed: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(packed)
