"""The load generator's client finds the end of an answer however it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bench.flow import FlowRun
from tests.bench.streamed import TEXTS, chat_body, chunked, flow

if TYPE_CHECKING:
    from bench.client import Exchange

ANSWER = b"".join(chunked(chat_body(*TEXTS)))
BODY = chat_body(*TEXTS)
CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"

ANSWERS = {
    "at once": [ANSWER],
    "byte by byte": [ANSWER[place : place + 1] for place in range(len(ANSWER))],
    "its end cut": [ANSWER[:-3], ANSWER[-3:]],
    "of a known length": [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY],
}


async def asked(pieces: list[bytes], *, closes: bool = False) -> tuple[list[Exchange], int]:
    """Return the exchanges of three requests, and how many connections they took."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if closes:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kept: list[Exchange] = []
    async with server, asyncio.timeout(10), asyncio.TaskGroup() as group:
        run = FlowRun(flow(f"http://127.0.0.1:{port}/v1", streams=3), group)
        await run.open()
        run.on_exchange = kept.append
        await run.run()
        run.close()
    return kept, connections


@pytest.mark.parametrize("pieces", ANSWERS.values(), ids=ANSWERS.keys())
async def test_one_connection_carries_one_answer_after_the_other(pieces: list[bytes]):
    kept, connections = await asked(pieces)
    assert connections == 1
    assert [b"".join(part for _, part in each.reads) for each in kept] == [b"".join(pieces)] * 3


async def test_connection_is_not_used_again_where_the_server_says_so():
    kept, connections = await asked([CLOSES, b"Content-Length: %d\r\n\r\n" % len(BODY), BODY])
    assert (len(kept), connections) == (3, 4)  # the first was used to open it


async def test_connection_that_ends_with_its_answer_is_opened_anew():
    kept, connections = await asked([CLOSES, b"\r\n", BODY], closes=True)
    assert len(kept) == 3
    assert connections >= 3
    assert all(b"".join(part for _, part in each.reads).endswith(BODY) for each in kept)
