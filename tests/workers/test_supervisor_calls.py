"""Calls of a worker while there is no supervisor, or another one than before."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from codexia.errors import SupervisorUnavailable
from codexia_workers import supervisor_calls
from codexia_workers.control_connection import Patience
from codexia_workers.supervisor_calls import SupervisorCalls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE = Patience(total_s=5)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


class Control:
    """A supervisor that answers, or breaks off the first calls that it has read."""

    def __init__(self, breaks: int = 0) -> None:
        self.calls = 0
        self._breaks = breaks

    @asynccontextmanager
    async def at(self, path: Path) -> AsyncIterator[None]:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        async with await asyncio.start_unix_server(self._serve, path):
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.calls += 1
        if self.calls > self._breaks:
            writer.write(ANSWER)
        writer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "supervisor.sock"


@pytest.fixture
def calls(path: Path) -> SupervisorCalls:
    return SupervisorCalls(str(path))


async def call(calls: SupervisorCalls, *, repeatable: bool = False) -> bytes:
    async with calls.calling("POST", "/refresh", b"{}", PATIENCE, repeatable=repeatable) as reply:
        return await reply.read()


@pytest.mark.parametrize("refused", [False, True])
async def test_call_waits_for_the_next_supervisor(
    calls: SupervisorCalls, path: Path, refused: bool
) -> None:
    if refused:  # by a socket that nobody listens on any more
        async with Control().at(path):
            pass
    control = Control()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(call(calls))
        await asyncio.sleep(0)
        assert not waiting.done()
        async with control.at(path):
            assert await waiting == b"ok"
    assert control.calls == 1


async def test_call_that_broke_off_is_made_again_only_if_that_does_no_harm(
    calls: SupervisorCalls, path: Path
) -> None:
    control = Control(breaks=1)
    async with control.at(path):
        assert await call(calls, repeatable=True) == b"ok"
    assert control.calls == 2
    control = Control(breaks=1)
    async with control.at(path):
        with pytest.raises(SupervisorUnavailable, match=r"needed for this \(/refresh\)"):
            await call(calls)
    assert control.calls == 1


async def test_answer_may_come_before_the_end_of_what_is_sent(
    calls: SupervisorCalls, path: Path
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"more"
            await asyncio.sleep(0)

    async with (
        Control().at(path),
        calls.calling("POST", "/files", endless(), PATIENCE, repeatable=False) as reply,
    ):
        assert await reply.read() == b"ok"


async def test_supervisor_that_says_nothing_is_unavailable_in_the_end(
    calls: SupervisorCalls, path: Path
) -> None:
    said_nothing = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the worker gives up
        writer.close()
        said_nothing.set()

    async with await asyncio.start_unix_server(listen, path):
        with pytest.raises(SupervisorUnavailable):
            async with calls.calling(
                "GET", "/batches", b"", Patience(silence_s=0.1), repeatable=True
            ):
                pass
        async with asyncio.timeout(5):
            await said_nothing.wait()


async def test_nobody_waits_once_there_was_no_supervisor_for_long(
    calls: SupervisorCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_calls, "GAP_S", 0.3)
    loop = asyncio.get_running_loop()
    for patience_s in (0.3, 0.0):
        started = loop.time()
        with pytest.raises(SupervisorUnavailable):
            await call(calls)
        assert patience_s <= loop.time() - started < patience_s + 0.3
