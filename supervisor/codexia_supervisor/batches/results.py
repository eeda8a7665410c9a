"""The results of an ended batch, as a stream that is never in memory as a whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson
import zstandard

from codexia.batches import ItemResult
from codexia.dialects.openai_batches import output_line
from codexia_supervisor.batches.stores import batches_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from codexia_supervisor.batches.states import BatchRecord
    from codexia_supervisor.batches.store import ItemRow
    from codexia_supervisor.state_file import StateFile

ITEMS_A_PAGE: Final = 64
"""Each may be as large as an answer can be."""


async def result_lines(file: StateFile, batch: BatchRecord) -> AsyncGenerator[bytes]:
    """Yield `ItemResult`s by line, in the order of the items."""

    def line(row: ItemRow) -> dict[str, Any]:
        return _result(batch, row)

    async for page in _pages(file, batch, "", line):
        yield page


async def file_lines(file: StateFile, batch: BatchRecord, kind: str) -> AsyncGenerator[bytes]:
    """Yield the lines of a batch's `output` file or `error` file."""

    def line(row: ItemRow) -> dict[str, Any]:
        return output_line(ItemResult.model_validate(_decoded(_result(batch, row))), batch.id)

    state = "succeeded" if kind == "output" else "unsuccessful"
    async for page in _pages(file, batch, state, line):
        yield page


async def _pages(
    file: StateFile, batch: BatchRecord, state: str, line: Callable[[ItemRow], dict[str, Any]]
) -> AsyncGenerator[bytes]:
    def joined(rows: Sequence[ItemRow]) -> bytes:
        return b"".join(orjson.dumps(line(row)) + b"\n" for row in rows)

    cursor = 0
    while True:
        async with batches_in(file) as store:
            rows = await store.results(batch.number, cursor, ITEMS_A_PAGE, state)
        if rows:
            yield await asyncio.to_thread(joined, rows)
            cursor = rows[-1].number
        if len(rows) < ITEMS_A_PAGE:
            return


def _result(batch: BatchRecord, row: ItemRow) -> dict[str, Any]:
    result: dict[str, Any] = {
        "custom_id": row.custom_id,
        "state": batch.rest if row.state == "pending" else row.state,
    }
    if row.body is not None:
        result["status"] = row.status
        result["request_id"] = row.request_id
        result["body"] = orjson.Fragment(zstandard.ZstdDecompressor().decompress(row.body))
    return result


def _decoded(result: dict[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(result))
    return decoded
