"""What a full disk, a lock, a damage or a loss does to batches: it is said, and it passes."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from codexia.errors import RequestTooLarge, StateUnavailable
from codexia_supervisor.batches.content import ContentLost, Contents
from codexia_supervisor.batches.turns import Item
from tests.supervisor.batch_worker import BatchWorker
from tests.supervisor.batches.conftest import at_work, line, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.supervisor.batches.conftest import Office


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    return Contents(tmp_path / "batches")


def names(contents: Contents) -> list[str]:
    return sorted(path.name for path in contents.path("").iterdir())


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_contents_are_private_and_read_by_place(contents: Contents):
    size = await contents.write("a", chunks(b"01234", b"56789"), 10)
    assert size == 10
    assert (mode_of(contents.path("")), mode_of(contents.path("a"))) == (0o700, 0o600)
    items = [Item(1, 1, 3, 4), Item(2, 1, 0, 1)]
    assert await contents.read("a", items) == [b"3456", b"0"]
    with pytest.raises(ContentLost):
        await contents.read("a", [Item(1, 1, 8, 4)])
    with pytest.raises(ContentLost):
        await contents.read("b", items)


async def test_a_content_over_the_limit_leaves_nothing(contents: Contents):
    with pytest.raises(RequestTooLarge):
        await contents.write("a", chunks(b"01234", b"56789"), 9)
    assert names(contents) == []


async def test_a_full_disk_leaves_nothing_and_says_so(
    contents: Contents, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("codexia_supervisor.batches.content.os.write", full)
        with pytest.raises(StateUnavailable, match="No space left on device; make room"):
            await contents.write("a", chunks(b"x"), 10)
    assert names(contents) == []
    await contents.write("a", chunks(b"x"), 10)


async def test_a_locked_database_loses_nothing(office: Office):
    batch = await office.create([request(f"r{n}") for n in range(40)])
    file = sqlite3.connect(office.running.home.state_file, isolation_level=None)
    file.execute("BEGIN EXCLUSIVE")
    worker = BatchWorker(office.socket, "w")
    async with at_work(worker):
        refused = await office.call("POST", "/batches", {"requests": [request("a")]})
        assert refused.status_code == 503
        assert "locked; close whatever has it open" in refused.json()["error"]["message"]
        status = await asyncio.to_thread(office.running.status)
        assert status is not None
        assert any("locked" in problem for problem in status.problems)
        file.execute("ROLLBACK")
        file.close()
        ended = await office.ended(batch["id"])
    assert ended["counts"]["succeeded"] == 40
    assert len(worker.ran) == 40


async def test_items_whose_content_is_lost_are_errored(office: Office):
    requests: list[Any] = [request(f"r{n}") for n in range(3)]
    batch = await office.create(requests)
    [content] = (office.running.home.root / "batches").iterdir()
    await asyncio.to_thread(content.unlink)
    async with at_work(BatchWorker(office.socket, "w")):
        ended = await office.ended(batch["id"])
    assert ended["counts"]["errored"] == 3
    [first, *_] = await office.results(batch["id"])
    assert first["body"]["error"]["message"] == "the content of this batch is lost; create it anew"


async def test_a_start_removes_contents_that_nothing_refers_to(office: Office):
    file_id = await office.upload([line("a")])
    batch = await office.create([request("a")])
    await asyncio.to_thread(office.running.kill)
    directory = office.running.home.root / "batches"
    for orphan in ("file-x", "msgbatch_x", "batch_x.part"):
        (directory / orphan).touch()
    office.running.start()
    await asyncio.to_thread(office.running.ready)
    await office.when(batch["id"], lambda each: True, "an answer")
    assert {path.name for path in directory.iterdir()} == {file_id, batch["id"]}
