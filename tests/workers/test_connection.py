"""The worker's own HTTP client, against servers that say exactly these bytes."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codexia_workers.connecting import NoConnection
from codexia_workers.connection import HIGH_WATER_BYTES, Connection, ConnectionBroken, Silence
from codexia_workers.pool import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

DEADLINE_S = 10.0
OPENED: list[Connection] = []

CHUNKED = b"HTTP/1.1 200 OK\r\nX-Name: one\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"


@pytest.fixture(autouse=True)
async def closed_connections() -> AsyncGenerator[None]:
    """Close what a test left open, while there is a loop to close it in."""
    yield
    while OPENED:
        OPENED.pop().close()
    for _ in range(3):
        await asyncio.sleep(0)


@asynccontextmanager
async def server(serve: Serve) -> AsyncGenerator[str]:
    """Give the address of a server whose connections are served so."""

    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/path?query"
        for writer in writers:
            if not writer.transport.is_closing():
                writer.transport.abort()
    await asyncio.sleep(0)


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return head and body of the next request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    return head, await reader.readexactly(length)


def always(answer: bytes, *, cut: bool = False) -> Serve:
    """Return a server that says the same to every request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            writer.write(answer)
            await writer.drain()
            if cut:
                return

    return serve


async def post(pool: Pool, url: str, silence_s: float = DEADLINE_S, **more: str) -> Connection:
    """Return the answer to a small request."""
    async with asyncio.timeout(DEADLINE_S):
        connection = await pool.post(url, {"x-a": "b"}, b"{}", silence_s, **more)
    OPENED.append(connection)
    return connection


async def body_of(connection: Connection) -> bytes:
    """Return the rest of an answer."""
    body = b""
    async with asyncio.timeout(DEADLINE_S):
        while chunk := await connection.read():
            body += chunk
    return body


async def test_the_request_is_sent_whole_and_the_answer_is_read_to_its_end() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(CHUNKED)

    async with server(serve) as url:
        connection = await post(Pool(), url)
        assert (connection.status, connection.headers["x-name"]) == (200, "one")
        assert await body_of(connection) == b"hello world"
    host = url.removeprefix("http://").partition("/")[0].encode()
    head = b"POST /path?query HTTP/1.1\r\nhost: %b\r\nx-a: b\r\ncontent-length: 2\r\n\r\n" % host
    assert seen == [(head, b"{}")]


@settings(max_examples=30)
@given(cuts=st.sets(st.integers(1, len(CHUNKED) - 1)))
async def test_an_answer_may_be_cut_anywhere(cuts: set[int]) -> None:
    ends = [0, *sorted(cuts), len(CHUNKED)]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for start, end in itertools.pairwise(ends):
            writer.write(CHUNKED[start:end])
            await writer.drain()
            await asyncio.sleep(0)

    async with server(serve) as url:
        assert await body_of(await post(Pool(), url)) == b"hello world"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ],
    ids=["length", "until the end", "interim answer", "old version"],
)
async def test_every_way_to_end_a_body_is_understood(answer: bytes) -> None:
    async with server(always(answer, cut=True)) as url:
        connection = await post(Pool(), url)
        assert connection.status == 200
        assert await body_of(connection) == b"hello"


@pytest.mark.parametrize(
    "answer",
    [CHUNKED[:-5], b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"],
    ids=["chunked", "length"],
)
async def test_a_body_that_breaks_off_is_no_end(answer: bytes) -> None:
    async with server(always(answer, cut=True)) as url:
        connection = await post(Pool(), url)
        with pytest.raises(ConnectionBroken):
            await body_of(connection)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nhalf",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 300_000,
    ],
    ids=["nothing", "half", "another protocol", "headers without end"],
)
async def test_what_is_no_answer_is_an_error(answer: bytes) -> None:
    async with server(always(answer, cut=True)) as url:
        with pytest.raises(ConnectionBroken):
            await post(Pool(), url)


async def test_nobody_at_the_address_is_told_apart() -> None:
    async with server(always(CHUNKED)) as url:
        pass
    with pytest.raises(NoConnection):
        await post(Pool(), url)


async def test_a_connection_is_used_again_after_its_answer() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await always(CHUNKED)(reader, writer)

    pool = Pool()
    async with server(serve) as url:
        for _ in range(3):
            connection = await post(pool, url)
            assert await body_of(connection) == b"hello world"
            pool.release(connection)
        assert connections == 1
        pool.close()


async def test_a_half_read_answer_is_not_followed_by_another_on_its_connection() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await always(CHUNKED)(reader, writer)

    pool = Pool()
    async with server(serve) as url:
        pool.release(await post(pool, url))
        assert await body_of(await post(pool, url)) == b"hello world"
    assert connections == 2


async def test_a_kept_connection_that_was_closed_meanwhile_costs_the_caller_nothing() -> None:
    """The server closes after each answer without saying so beforehand."""
    pool = Pool()
    async with server(always(CHUNKED, cut=True)) as url:
        for _ in range(5):
            connection = await post(pool, url)
            assert await body_of(connection) == b"hello world"
            pool.release(connection)


async def test_silence_ends_an_exchange_before_and_within_the_answer() -> None:
    async with server(always(b"")) as url:
        with pytest.raises(Silence):
            await post(Pool(), url, 0.05)
    async with server(always(CHUNKED[:-5])) as url:
        connection = await post(Pool(), url, 0.05)
        assert await connection.read() == b"hello world"
        with pytest.raises(Silence):
            await connection.read()


async def test_a_reader_that_is_slow_is_no_silence_and_stops_the_sender() -> None:
    sent = 0
    size = 64 * HIGH_WATER_BYTES

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(b"x" * HIGH_WATER_BYTES)
            sent += HIGH_WATER_BYTES
            await writer.drain()

    async with server(serve) as url:
        connection = await post(Pool(), url, 0.2)
        gate = asyncio.get_running_loop().create_future()
        got = 0

        def take(chunk: bytes) -> Awaitable[None] | None:
            nonlocal got
            got += len(chunk)
            return None if gate.done() else gate

        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            pouring = group.create_task(connection.pour(take))
            await settled(lambda: sent)
            assert not pouring.done()
            assert sent < size / 2  # what the kernel's buffers and ours hold, and no more
            gate.set_result(None)
        assert got == size


async def settled(value: Callable[[], int]) -> None:
    """Return once a value has not changed for longer than the exchange may be silent."""
    while True:
        before = value()
        await asyncio.sleep(0.3)
        if value() == before > 0:
            return


async def test_pouring_stops_where_it_is_told_to_and_the_rest_can_be_read() -> None:
    async with server(always(CHUNKED)) as url:
        connection = await post(Pool(), url)
        taken: list[bytes] = []

        def take(chunk: bytes) -> None:
            taken.append(chunk)
            connection.stop_pouring()

        async with asyncio.timeout(DEADLINE_S):
            await connection.pour(take)
        assert b"".join(taken) + await body_of(connection) == b"hello world"


async def test_a_plain_proxy_gets_the_whole_address_and_its_password() -> None:
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await request_of(reader))[0])
        writer.write(CHUNKED)

    async with server(proxy) as address:
        port = address.split(":")[2].partition("/")[0]
        proxied = f"http://user:p%40ss@127.0.0.1:{port}"
        connection = await post(Pool(), "http://backend.test/a", proxy=proxied)
        assert await body_of(connection) == b"hello world"
    assert heads[0].startswith(b"POST http://backend.test/a HTTP/1.1\r\nhost: backend.test\r\n")
    assert b"proxy-authorization: Basic dXNlcjpwQHNz\r\n" in heads[0]


async def test_a_tunnel_that_the_proxy_refuses_is_told() -> None:
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    async with server(proxy) as address:
        proxied = address.rpartition("/")[0]
        with pytest.raises(NoConnection, match="the proxy answered 407"):
            await post(Pool(), "https://backend.test/a", proxy=proxied)
    assert heads == [b"CONNECT backend.test:443 HTTP/1.1\r\nhost: backend.test:443\r\n\r\n"]
