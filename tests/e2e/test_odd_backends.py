"""Bytes that the simulator never sends, from a backend that sends exactly what it is told to."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from typing import TYPE_CHECKING

import orjson
import pytest

from codexia.simulator.transcripts import StreamTranscript, transcripts
from tests.e2e.outcomes import ASKS, outcome, outcomes
from tests.e2e.streams import session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway

BETWEEN_PIECES_S = 0.05
PLAN_LIMIT = orjson.dumps(
    {"error": {"type": "usage_limit_reached", "message": "used up", "resets_in_seconds": 60}}
)


def text_stream() -> bytes:
    transcript = transcripts()["01_text"]
    assert isinstance(transcript, StreamTranscript)
    return b"".join(transcript.frames)


def reply(content: bytes, *pieces: bytes, status: str = "200 OK") -> tuple[bytes, ...]:
    """Return a reply whose body comes in pieces, the first of them together with the head."""
    size = sum(map(len, pieces), len(content))
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
    return head.encode() + content, *pieces


REPLIES: dict[str, tuple[bytes, ...]] = {
    "error in two pieces": reply(PLAN_LIMIT[:30], PLAN_LIMIT[30:], status="429 Slow Down"),
    "more after the end": reply(text_stream() + b"data: [DONE]\n\n", b": goodbye\n\n"),
    "carriage returns": reply(text_stream().replace(b"\n", b"\r\n")),
    "hanging up": (),
    "a split before the last line end": reply(text_stream()[:-1], text_stream()[-1:]),
}


class Backend(socketserver.ThreadingTCPServer):
    """Answers by the name of a reply in the prompt.

    Attributes:
        connections: how many of them were ever asked anything.
        answered: released once for every reply that was sent to its end.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.connections = 0
        self.answered = threading.Semaphore(0)


class Connection(socketserver.StreamRequestHandler):
    """One connection of a worker, kept alive."""

    server: Backend

    def handle(self) -> None:
        asked = 0
        pause = threading.Event()
        while request_line := self.rfile.readline():
            size = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    size = int(line.partition(b":")[2])
            content = self.rfile.read(size)
            if request_line.startswith(b"GET"):  # the catalogue
                self.wfile.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                continue
            self.server.connections += not asked
            asked += 1
            pieces = next(REPLIES[name] for name in REPLIES if name.encode() in content)
            if not pieces:
                return
            for piece in pieces:
                self.wfile.write(piece)
                pause.wait(BETWEEN_PIECES_S if piece is not pieces[-1] else 0)
            self.server.answered.release()


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as backend:
        threading.Thread(target=backend.serve_forever, args=(0.05,), daemon=True).start()
        yield backend
        backend.shutdown()


@pytest.fixture(scope="module")
def gateway_environment(backend: Backend) -> dict[str, str]:
    return {"CODEXIA_UPSTREAM_BASE_URL": f"http://127.0.0.1:{backend.server_address[1]}"}


async def test_error_that_comes_in_pieces_is_read_whole(gateway: Gateway):
    async with session() as http:
        for each in await outcomes(http, gateway.url, "error in two pieces"):
            assert each.status == 429
            assert each.headers["retry-after"] == "60"
            assert each.headers["x-should-retry"] == "false"
            assert (each.error or {})["message"].startswith("used up; it resets at ")


async def test_backend_that_hangs_up_is_a_bad_gateway(gateway: Gateway):
    async with session() as http:
        for each in await outcomes(http, gateway.url, "hanging up"):
            assert each.status == 502
            assert "cannot be reached" in (each.error or {})["message"]


@pytest.mark.parametrize(
    "name", ["more after the end", "carriage returns", "a split before the last line end"]
)
async def test_odd_stream_is_an_ordinary_answer(gateway: Gateway, name: str):
    async with session() as http:
        seen = await outcomes(http, gateway.url, name)
    assert all(each.whole for each in seen)
    assert len({each.text for each in seen}) == 1
    assert seen[0].text


async def test_connections_to_the_backend_are_kept(gateway: Gateway, backend: Backend):
    before, backend.answered = backend.connections, threading.Semaphore(0)
    asks = ASKS * 3
    async with session() as http:
        for ask in asks:
            assert (await outcome(http, gateway.url, ask, "more after the end")).whole
            await asyncio.to_thread(backend.answered.acquire, timeout=5)
    assert backend.connections - before <= len(asks) / 3
