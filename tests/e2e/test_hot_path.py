"""The way of an event costs one send per read, and touches neither disk nor another process.

The worker's own ASGI app runs here, in the process of the test, where its sends and its reads
from the backend can be counted; the backend is a simulator in its own process.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codexia.simulator.generate import stream_text
from codexia.sse import FrameSplitter
from codexia_workers.app import create_app
from codexia_workers.connection import Connection
from tests.e2e.streams import DIALECTS, PATHS, body, is_clean_end, text_of
from tests.workers.specs import generation_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message

    from codexia.control import GenerationSpec
    from tests.e2e.processes import Simulator

DELTAS = 200
SHAPES = {"as fast as it goes": 0, "an event at a time": 2}
STANDING = {"/watch", "/work", "/observed", "/demand"}
"""Calls that a worker makes once, or once a second, however many requests there are."""

OUTSIDE = ("open", "socket.connect", "subprocess.Popen", "os.")
"""Audit events of everything that leaves the process but reads and writes of open sockets."""


class Audit:
    """What the interpreter reports while a block is under way; a hook cannot be taken back."""

    def __init__(self) -> None:
        self.on = False
        self.events: list[tuple[str, Any]] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event.startswith(OUTSIDE):
            self.events.append((event, arguments))


@pytest.fixture(scope="module")
def audit() -> Audit:
    return Audit()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what the worker read from the backend, a read of the socket each."""
    sizes: list[int] = []
    data_received = Connection.data_received

    def counted(self: Connection, data: bytes) -> None:
        sizes.append(len(data))
        data_received(self, data)

    monkeypatch.setattr(Connection, "data_received", counted)
    return sizes


@asynccontextmanager
async def supervisor(path: Path) -> AsyncIterator[list[str]]:
    """Give the calls to a supervisor that accepts them and never says anything."""
    calls: list[str] = []
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        line = await reader.readline()
        if line:
            calls.append(line.decode().split()[1].partition("?")[0])

    async with await asyncio.start_unix_server(accept, path):
        yield calls
    for writer in writers:
        writer.close()


@asynccontextmanager
async def started(app: ASGIApp) -> AsyncIterator[None]:
    """Run an app's lifespan around a block."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    heard: asyncio.Queue[Message] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        group.create_task(app({"type": "lifespan", "state": {}}, told.get, heard.put))
        await told.put({"type": "lifespan.startup"})
        assert (await heard.get())["type"] == "lifespan.startup.complete"
        yield
        await told.put({"type": "lifespan.shutdown"})
        assert (await heard.get())["type"] == "lifespan.shutdown.complete"


async def ask(app: ASGIApp, dialect: str, prompt: str) -> list[Message]:
    """Return the messages that an app sends for one streamed request."""
    sent: list[Message] = []
    request = {"type": "http.request", "body": orjson.dumps(body(dialect, prompt))}
    received = iter([request])

    async def receive() -> Message:
        return next(received, None) or await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATHS[dialect],
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
    }
    await app(scope, receive, send)
    return sent


@pytest.fixture
def spec(simulator: Simulator, tmp_path: Path) -> GenerationSpec:
    return generation_spec(simulator.url, simulator.credentials(), tmp_path / "control.sock")


@pytest.fixture
def stopped_app(spec: GenerationSpec) -> ASGIApp:
    return create_app(spec)  # before there is an event loop, as in a worker


@pytest.fixture
async def app(stopped_app: ASGIApp, spec: GenerationSpec) -> AsyncIterator[ASGIApp]:
    async with supervisor(Path(spec.control_socket)) as calls, started(stopped_app):
        yield stopped_app
        assert set(calls) <= STANDING, "a request called the supervisor"


@pytest.mark.parametrize("gap_ms", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_one_send_per_read(app: ASGIApp, reads: list[int], dialect: str, gap_ms: float):
    sent = await ask(app, dialect, f"STREAM[[deltas={DELTAS} gap_ms={gap_ms}]]")
    start, *bodies = sent
    assert start["type"] == "http.response.start"
    assert len(bodies) <= len(reads)
    if gap_ms:
        # Nothing waits for more to come: an event that was read has been sent.
        assert len(bodies) > len(reads) / 2
    assert [each["more_body"] for each in bodies] == [True] * (len(bodies) - 1) + [False]
    frames = FrameSplitter().feed(b"".join(each["body"] for each in bodies))
    assert "".join(text_of(dialect, frame) for frame in frames) == stream_text(DELTAS, 8)
    # The end goes out with the last content, not after it.
    assert any(is_clean_end(dialect, frame) for frame in FrameSplitter().feed(bodies[-1]["body"]))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_stream_leaves_the_process_only_for_the_backend(
    app: ASGIApp, audit: Audit, simulator: Simulator, dialect: str
):
    await ask(app, dialect, "SAY[[modules are loaded and the connection is made]]")
    audit.on = True
    await ask(app, dialect, f"STREAM[[deltas={DELTAS} gap_ms=1]]")
    audit.on = False
    assert audit.events == []
