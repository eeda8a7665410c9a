"""What becomes of batches with time: expiry after a day, archive after 29, over the real store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codexia.batches import Batch, BatchOfFile, Outcome, WorkOffer
from codexia.errors import NotFound
from codexia_supervisor.batches.batches import Batches
from codexia_supervisor.batches.content import Contents
from codexia_supervisor.batches.dispatcher import Dispatcher
from codexia_supervisor.state_file import StateFile
from tests.supervisor.batches.conftest import line, request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

DAY_S = 24 * 3600


class Calm:
    """Conditions that hold nothing up."""

    concurrency = 2
    login_hint = ""
    workers = 1
    overloaded_at = 0.0

    def limited_until(self, model: str | None) -> float:
        return 0.0

    def drains(self, generation: int) -> bool:
        return False


@dataclass
class Aging:
    """Batches whose clock is the test's."""

    path: Path
    now: float = 1_800_000_000.0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        file, contents = StateFile(self.path / "state.db"), Contents(self.path / "batches")
        self.dispatcher = Dispatcher(file, contents, Calm(), lambda: self.now)
        self.batches = Batches(file, contents, self.dispatcher, lambda: self.now)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each.run()) for each in (self.dispatcher, self.batches)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
        await file.close()

    async def taken(self, count: int) -> list[int]:
        """Return the numbers of items that a worker was given."""
        numbers: list[int] = []
        self.work = self.dispatcher.work(WorkOffer(worker="w", generation=1))
        async for lines in self.work:
            numbers += [orjson.loads(each)["item"] for each in lines.splitlines()]
            if len(numbers) == count:
                break
        return numbers

    async def settle(self, *numbers: int) -> None:
        outcomes = [Outcome(item=each, status=200, request_id="r", body={}) for each in numbers]
        await self.dispatcher.settle("w", outcomes)

    async def when(self, batch_id: str, holds: Callable[[Batch], Any]) -> Batch:
        async with asyncio.timeout(20):
            while not holds(batch := await self.batches.get(batch_id, None)):
                self.dispatcher.wake()
                await asyncio.sleep(0.01)
        return batch


async def content(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def is_ended(batch: Batch) -> bool:
    return batch.state == "ended"


@pytest.fixture
def aging(tmp_path: Path) -> Aging:
    return Aging(tmp_path)


async def test_after_a_day_what_runs_may_finish_and_the_rest_is_expired(aging: Aging):
    async with aging.running():
        requests = {"requests": [request(f"r{n}") for n in range(5)]}
        batch = await aging.batches.create("", content(orjson.dumps(requests)))
        running = await aging.taken(2)
        aging.now += DAY_S
        late = await aging.when(batch.id, lambda each: each.counts.expired)
        assert (late.state, late.counts.running, late.counts.expired) == ("in_progress", 2, 3)
        await aging.settle(*running)
        ended = await aging.when(batch.id, is_ended)
        assert (ended.counts.succeeded, ended.counts.expired) == (2, 3)
        lines = b"".join([each async for each in await aging.batches.results(batch.id, None)])
        states = [orjson.loads(each)["state"] for each in lines.splitlines()]
        assert states == ["succeeded"] * 2 + ["expired"] * 3
        assert not list((aging.path / "batches").iterdir())


async def test_a_file_batch_that_expires_tells_so_in_its_error_file(aging: Aging):
    async with aging.running():
        files = aging.batches.files
        lines = b"\n".join(orjson.dumps(line(f"l{n}")) for n in range(3))
        file = await files.add("", "in.jsonl", content(lines))
        wanted = BatchOfFile(input_file_id=file.id, endpoint="/v1/responses")
        batch = await aging.batches.create_of_file("", wanted)
        await aging.when(batch.id, lambda each: each.state == "in_progress")
        aging.now += DAY_S
        ended = await aging.when(batch.id, is_ended)
        assert ended.output_file_id is None
        told = b"".join([each async for each in await files.content(ended.error_file_id or "", "")])
        assert told.count(b'"batch_expired"') == 3


async def test_results_go_after_29_days_and_the_batch_stays(aging: Aging):
    async with aging.running():
        lines = orjson.dumps(line("a"))
        file = await aging.batches.files.add("", "in.jsonl", content(lines))
        wanted = BatchOfFile(input_file_id=file.id, endpoint="/v1/responses")
        batch = await aging.batches.create_of_file("", wanted)
        await aging.settle(*(await aging.taken(1)))
        ended = await aging.when(batch.id, is_ended)
        output = ended.output_file_id or ""
        assert ended.results_until == ended.ended_at + 29 * DAY_S
    aging.now += 29 * DAY_S - 1
    async with aging.running():
        assert await aging.batches.results(batch.id, None)
        assert (await aging.batches.files.get(output, None)).size_bytes
    aging.now += 1
    async with aging.running():
        archived = await aging.when(batch.id, lambda each: each.archived_at)
        assert (archived.state, archived.counts.succeeded) == ("ended", 1)
        with pytest.raises(NotFound, match="29 days"):
            await aging.batches.results(batch.id, None)
        with pytest.raises(NotFound):
            await aging.batches.files.get(output, None)
        await aging.batches.files.get(file.id, None)


async def test_a_batch_canceled_while_it_is_checked_runs_nothing(aging: Aging):
    async with aging.running():
        lines = b"\n".join(orjson.dumps(line(f"l{n}")) for n in range(3))
        file = await aging.batches.files.add("", "in.jsonl", content(lines))
        wanted = BatchOfFile(input_file_id=file.id, endpoint="/v1/responses")
        batch = await aging.batches.create_of_file("", wanted)
        assert batch.state == "validating"
        canceled = await aging.batches.cancel(batch.id, None)
        assert canceled.cancel_initiated_at is not None
        ended = await aging.when(batch.id, is_ended)
        assert (ended.counts.canceled, ended.counts.total) == (3, 3)


async def test_a_batch_whose_content_is_lost_before_it_is_checked_fails(aging: Aging):
    file = StateFile(aging.path / "state.db")
    contents = Contents(aging.path / "batches")
    dispatcher = Dispatcher(file, contents, Calm(), lambda: aging.now)
    unstarted = Batches(file, contents, dispatcher, lambda: aging.now)
    upload = await unstarted.files.add("", "in.jsonl", content(orjson.dumps(line("a"))))
    wanted = BatchOfFile(input_file_id=upload.id, endpoint="/v1/responses")
    batch = await unstarted.create_of_file("", wanted)
    await file.close()
    await contents.remove(batch.id)
    async with aging.running():
        failed = await aging.when(batch.id, lambda each: each.state == "failed")
        assert [each.code for each in failed.problems] == ["batch_content_lost"]
