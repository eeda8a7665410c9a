"""Stored responses in state.db: written once, read by id, bounded by age and size.

The items of their output are there by themselves too, so that a request which refers to items
of many responses costs those items and not the conversation once for each of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import zstandard
from sqlalchemy import delete, func, insert, select

from codexia_supervisor.tables import ITEMS, RESPONSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement

    from codexia_supervisor.state import State

COMPRESSION_LEVEL: Final = 3

IDS_A_QUERY: Final = 1000
"""Databases bound the parameters of a statement."""

_OWN = RESPONSES.c


class ResponseStore:
    """What workers put, kept by the name of the local key and the response's id.

    Another key's response is as unknown as one that never was.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def put(
        self,
        key_name: str,
        response_id: str,
        content: bytes | bytearray,
        now: int,
        items: Mapping[str, bytes] | None = None,
    ) -> None:
        """Keep `content` and the items of the output by id; replaces what was there.

        Raises:
            StateUnavailable: the database failed.
        """
        packed = await asyncio.to_thread(_pack, content)
        packed_items = {item_id: _pack(item) for item_id, item in (items or {}).items()}
        async with self._state.transaction() as connection:
            await connection.execute(delete(RESPONSES).where(_is(key_name, response_id)))
            number = await connection.scalar(
                insert(RESPONSES)
                .values(
                    key_name=key_name,
                    response_id=response_id,
                    created_at=now,
                    size_bytes=len(packed) + sum(map(len, packed_items.values())),
                    content=packed,
                )
                .returning(_OWN.number)
            )
            if packed_items:
                rows = [
                    {"response": number, "item_id": item_id, "content": item}
                    for item_id, item in packed_items.items()
                ]
                await connection.execute(insert(ITEMS), rows)

    async def get(self, key_name: str, response_id: str, oldest: int) -> bytes | None:
        """Return what was put, None where there is nothing or it was put before `oldest`.

        Raises:
            StateUnavailable: the database failed.
        """
        query = select(_OWN.content).where(_is(key_name, response_id), _OWN.created_at >= oldest)
        async with self._state.transaction() as connection:
            packed = await connection.scalar(query)
        return None if packed is None else await asyncio.to_thread(_unpack, packed)

    async def items(self, key_name: str, ids: Sequence[str], oldest: int) -> dict[str, bytes]:
        """Return those of the items that are there and were not put before `oldest`.

        Raises:
            StateUnavailable: the database failed.
        """
        query = (
            select(ITEMS.c.item_id, ITEMS.c.content)
            .join(RESPONSES)
            .where(_OWN.key_name == key_name, _OWN.created_at >= oldest)
            .order_by(_OWN.number)  # of items with the same id the newest counts
        )
        packed: dict[str, bytes] = {}
        async with self._state.transaction() as connection:
            for start in range(0, len(ids), IDS_A_QUERY):
                wanted = ITEMS.c.item_id.in_(ids[start : start + IDS_A_QUERY])
                rows = await connection.execute(query.where(wanted))
                packed.update((item_id, content) for item_id, content in rows)
        return {item_id: _unpack(content) for item_id, content in packed.items()}

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
