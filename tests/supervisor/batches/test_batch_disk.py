"""A disk that is full, or a state.db that is damaged, under a running supervisor.

What is full is the process's limit for the size of a file, which can be lifted from outside.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.supervisor.batch_worker import BatchWorker
from tests.supervisor.batches.conftest import Office, at_work, request, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of others are Linux's")


@contextmanager
def full_disk(office: Office, room_bytes: int) -> Iterator[None]:
    """Let no file of the supervisor grow beyond a size."""
    pid, limit = office.running.process.pid, resource.RLIMIT_FSIZE
    resource.prlimit(pid, limit, (room_bytes, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def problems(office: Office) -> str:
    status = await asyncio.to_thread(office.running.status)
    return " ".join(status.problems) if status else ""


async def test_an_upload_that_finds_no_room_says_so_and_leaves_nothing(office: Office):
    with full_disk(office, 2**20):
        for path in ("/batches", "/files?name=x"):
            refused = await office.call("POST", path, bytes(4 * 2**20))
            assert refused.status_code == 503
            assert "make room on the disk" in refused.json()["error"]["message"]
        assert not list((office.running.home.root / "batches").iterdir())
    await office.upload([b"x" * 4 * 2**20])


async def test_outcomes_that_find_no_room_are_kept_by_their_worker(office: Office):
    go_on = asyncio.Event()

    async def answer(assignment: dict[str, Any]) -> dict[str, Any]:
        await go_on.wait()
        return {"status": 200, "body": {"n": assignment["body"]["n"]}}

    batch = await office.create([request(f"r{n}", n=n) for n in range(40)])
    worker = BatchWorker(office.socket, "w", answer)
    async with at_work(worker):
        await office.when(batch["id"], lambda each: each["counts"]["running"] == 8, "8 running")
        with full_disk(office, 4096):
            go_on.set()
            await until(lambda: worker.refusals)
            assert "see to it that the disk has room" in worker.refusals[0]
            assert "see to it that the disk has room" in await problems(office)
        ended = await office.ended(batch["id"])
    assert ended["counts"]["succeeded"] == 40
    assert len(worker.ran) == 40
    assert [each["body"]["n"] for each in await office.results(batch["id"])] == list(range(40))


async def test_a_damaged_database_is_told_and_another_one_begun(office: Office):
    await office.create([request("a")])
    file = office.running.home.state_file
    await asyncio.to_thread(office.running.kill)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with file.open("r+b") as content:
        content.seek(4096)
        content.write(b"\xff" * (file.stat().st_size - 4096))
    office.running.start()
    await asyncio.to_thread(office.running.ready)
    refused = await office.call("GET", "/batches")
    assert refused.status_code == 503
    assert "move it away to begin anew" in refused.json()["error"]["message"]
    assert "malformed" in await problems(office)
    file.rename(file.with_name("damaged.db"))

    async def anew() -> bool:
        return (await office.call("GET", "/batches")).status_code == 200

    async with asyncio.timeout(20):
        while not await anew():  # noqa: ASYNC110 - a broken file is tried again after a while
            await asyncio.sleep(0.2)
    async with at_work(BatchWorker(office.socket, "w")):
        await office.ended((await office.create([request("b")]))["id"])
