"""Hands items of batches to workers, takes their outcomes, and ends batches.

The rules are in `queue.py`; here it meets the clock, the disk and the workers.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import orjson

from codexia.batches import BatchActivity, ItemResult, Outcome, StoredFile
from codexia.dialects.openai_batches import output_line
from codexia.errors import CodexiaError, StateUnavailable, anthropic_envelope, openai_envelope
from codexia_supervisor.batches.checking import LOST
from codexia_supervisor.batches.content import ContentLost
from codexia_supervisor.batches.pace import LOGIN_S, REASONS
from codexia_supervisor.batches.queue import Queue
from codexia_supervisor.batches.settling import Settler
from codexia_supervisor.batches.states import ACTIVE, described
from codexia_supervisor.batches.stores import batches_in
from codexia_supervisor.state_file import RETRY_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from codexia.batches import Batch, WorkOffer
    from codexia_supervisor.batches.content import Contents
    from codexia_supervisor.batches.states import BatchRecord
    from codexia_supervisor.batches.turns import Item
    from codexia_supervisor.state_file import StateFile

logger = logging.getLogger("codexia.supervisor")

TICK_S: Final = 30.0
"""The clock may be set, and a limit seen by live traffic may be over."""

ITEMS_FETCHED: Final = 512

_NO_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")
"""Line breaks in JSON are space; within its strings they are escaped."""


class Conditions(Protocol):
    """What batches depend on beyond themselves."""

    @property
    def concurrency(self) -> int:
        """As many items may run."""
        ...

    @property
    def login_hint(self) -> str:
        """Why there is no usable login, "" when there is one."""
        ...

    @property
    def workers(self) -> int:
        """How many workers there are, connected or not."""
        ...

    @property
    def overloaded_at(self) -> float:
        """When the newest request began that the backend was too busy for; 0.0 for none."""
        ...

    def limited_until(self, model: str | None) -> float:
        """Return until when the plan refuses a model, or all if none is given; 0.0 for no such."""
        ...

    def drains(self, generation: int) -> bool:
        """Return whether a generation gets no new items."""
        ...


@dataclass(slots=True)
class _Box:
    """What is on its way to one worker; a newer connection of the worker closes it."""

    lines: list[bytes]
    changed: asyncio.Event
    closed: bool = False


class Dispatcher:
    """The workers' side of batches."""

    def __init__(
        self,
        file: StateFile,
        contents: Contents,
        conditions: Conditions,
        clock: Callable[[], float],
    ) -> None:
        self._file = file
        self._contents = contents
        self._conditions = conditions
        self._clock = clock
        self._queue = Queue()
        self._settler = Settler(file, self._queue, clock, self.wake)
        self._boxes: dict[str, _Box] = {}
        self._changed = asyncio.Event()
        self._loaded = False
        self._begun = False
        self._login_missing = False
        self._busy_at = 0.0
        self._closed = False

    async def run(self) -> None:
        """Keep items running, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._settler.run())
            while True:
                self._changed.clear()
                try:
                    await self._round()
                except StateUnavailable as error:
                    logger.warning("batches wait reason=%s", error.message)
                    self._loaded = False  # who mends the file may have changed what is in it
                    await asyncio.sleep(RETRY_S)
                    continue
                await self._until_changed()

    def wake(self) -> None:
        """Look at everything anew."""
        self._changed.set()

    def close(self) -> None:
        """End every `work`."""
        self._closed = True
        for box in self._boxes.values():
            _close(box)

    def put(self, batch: BatchRecord) -> None:
        """Take on a batch, or a change of one."""
        if self._loaded:
            self._queue.put(batch)
        self.wake()

    def described(self, batch: BatchRecord) -> Batch:
        """Return a batch as others are told of it."""
        now = self._clock()
        wait = self._queue.wait(batch.number, now)
        running = self._queue.running(batch.number)
        return described(batch, running, now, math.ceil(wait.until), wait.reason)

    def activity(self) -> BatchActivity:
        """Return what goes on."""
        now, active = self._clock(), self._queue.active
        waits = [self._queue.wait(batch.number, now) for batch in active]
        first = min(waits, key=lambda wait: wait.until, default=self._queue.common_wait(now))
        return BatchActivity(
            active=len(active),
            running=len(self._queue.leases),
            waits_until=math.ceil(first.until),
            wait_reason=first.reason,
        )

    def states(self) -> Counter[str]:
        """Return how many batches have not ended, by state."""
        return Counter(batch.state for batch in self._queue.active)

    async def settle(self, worker: str, outcomes: Sequence[Outcome]) -> None:
        """Return once outcomes are on disk, or nobody needs them.

        Raises:
            StateUnavailable: they could not be written.
        """
        try:
            await self._settler.settle(worker, outcomes, self._conditions.concurrency)
        except StateUnavailable:
            self._loaded = False
            self.wake()
            raise

    async def work(self, offer: WorkOffer) -> AsyncGenerator[bytes]:
        """Yield assignments for a worker, for as long as it is connected; the first is empty.

        Raises:
            StateUnavailable: what it holds cannot be looked up.
        """
        async with self._settler.lock:
            holding: list[Item] = []
            if offer.holding:
                async with batches_in(self._file) as store:
                    found = await store.waiting(offer.holding)
                holding = [pending.item for pending in found.values()]
            self._queue.come(offer.worker, offer.generation, holding, self._clock())
        try:
            box = _Box([], asyncio.Event(), closed=self._closed)
            if offer.worker in self._boxes:
                _close(self._boxes[offer.worker])
            self._boxes[offer.worker] = box
            self.wake()
            yield b""
            while not box.closed:
                await box.changed.wait()
                box.changed.clear()
                lines, box.lines = box.lines, []
                yield b"".join(lines)
        finally:
            self._queue.go(offer.worker, self._clock())
            self.wake()

    async def _until_changed(self) -> None:
        now = self._clock()
        next_at = self._queue.next_at(now)
        wait_s = TICK_S if next_at is None else min(next_at - now, TICK_S)
        try:
            async with asyncio.timeout(max(wait_s, 0.0) + 0.001):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _round(self) -> None:
        if not self._loaded:
            if not self._contents.exists:
                return
            await self._load()
        self._look_around()
        for batch in self._queue.over(self._clock()):
            await self._end(batch)
        async with self._settler.lock:
            for number, cursor in self._queue.hungry():
                async with batches_in(self._file) as store:
                    items = await store.pending(number, cursor, ITEMS_FETCHED)
                last = items[-1].number if items else cursor
                self._queue.feed(number, items, last, complete=len(items) < ITEMS_FETCHED)
        concurrency, excluded = self._conditions.concurrency, self._conditions.drains
        given = self._queue.assign(concurrency, excluded, self._clock())
        for worker, items in given.items():
            await self._hand_out(worker, items)

    async def _load(self) -> None:
        async with self._settler.lock:
            async with batches_in(self._file) as store:
                batches = await store.in_states(*ACTIVE)
            self._queue.restart(batches, self._clock(), reunion=not self._begun)
        self._loaded = self._begun = True

    def _look_around(self) -> None:
        """Slow down, or go on, as the login, the plan and the workers allow."""
        now, pace = self._clock(), self._queue.pace
        if self._queue.leases.connected >= self._conditions.workers > 0:
            self._queue.reunited()
        missing = bool(self._conditions.login_hint)
        if missing:
            pace.wait(now + LOGIN_S, REASONS["login"])
        elif self._login_missing:
            pace.resume()
        self._login_missing = missing
        busy_at = self._conditions.overloaded_at
        if busy_at > self._busy_at:
            self._busy_at = busy_at
            pace.refused("overload", None, self._conditions.concurrency, busy_at, now)
        for batch in self._queue.active:
            self._queue.believe(batch.number, self._conditions.limited_until(batch.model), now)

    async def _hand_out(self, worker: str, items: Sequence[Item]) -> None:
        by_batch: dict[int, list[Item]] = {}
        for item in items:
            by_batch.setdefault(item.batch, []).append(item)
        for number, its_items in by_batch.items():
            batch = self._queue.batch(number)
            if batch is None:
                self._queue.give_back(its_items)
                continue
            try:
                bodies = await self._contents.read(batch.id, its_items)
            except ContentLost:
                logger.exception("content lost batch=%s", batch.id)
                await self.settle(worker, [_lost(batch, item) for item in its_items])
                continue
            except StateUnavailable:
                self._queue.give_back(items)
                raise
            box = self._boxes.get(worker)
            if box is None or box.closed:
                continue  # the worker is gone; its items come back with those that it had
            lines = zip(its_items, bodies, strict=True)
            box.lines += [_line(batch, item, body) for item, body in lines]
            box.changed.set()

    async def _end(self, batch: BatchRecord) -> None:
        now = int(self._clock())
        files: list[StoredFile] = []
        async with batches_in(self._file) as store:
            batch = await store.get(batch.number)
            if batch.dialect == "openai":
                error_bytes = batch.error_bytes
                cursor = 0
                while batch.unsettled:
                    page = await store.results(batch.number, cursor, ITEMS_FETCHED, "pending")
                    error_bytes += sum(_rest_bytes(batch, row.custom_id) for row in page)
                    if len(page) < ITEMS_FETCHED:
                        break
                    cursor = page[-1].number
                files = _result_files(batch, error_bytes, now)
            ended = await store.end(batch.number, files, now)
        self._queue.put(ended)
        await self._contents.remove(batch.id)
        logger.info(
            "batch ended id=%s succeeded=%s errored=%s %s=%s",
            *(ended.id, ended.succeeded, ended.errored, ended.rest, ended.unsettled),
        )


def _close(box: _Box) -> None:
    box.closed = True
    box.changed.set()


def _line(batch: BatchRecord, item: Item, body: bytes) -> bytes:
    """Return an `Assignment` with the request byte by byte as the client wrote it."""
    head = {
        "item": item.number,
        "batch_id": batch.id,
        "endpoint": batch.endpoint,
        "key_name": batch.key_name,
        "attempt": item.attempts + 1,
    }
    return orjson.dumps(head)[:-1] + b',"body":' + body.translate(_NO_BREAKS) + b"}\n"


def _lost(batch: BatchRecord, item: Item) -> Outcome:
    error = CodexiaError(LOST.message, code=LOST.code)
    request_id = f"req_lost_{item.number}"
    if batch.dialect == "messages":
        body = anthropic_envelope(error, request_id)
    else:
        body = openai_envelope(error)
    return Outcome(
        item=item.number,
        status=error.status,
        request_id=request_id,
        body=body,
        cause=error.code or "",
    )


def _rest_bytes(batch: BatchRecord, custom_id: str) -> int:
    result = ItemResult(custom_id=custom_id, state=batch.rest)
    return len(orjson.dumps(output_line(result, batch.id))) + 1


def _result_files(batch: BatchRecord, error_bytes: int, now: int) -> list[StoredFile]:
    """Return the files of an ended batch: the successes, and all others if there are any."""
    token = batch.id.removeprefix("batch_")
    wanted = (
        ("output", batch.output_bytes, batch.succeeded),
        ("error", error_bytes, batch.total - batch.succeeded),
    )
    return [
        StoredFile(
            id=f"file-{token}-{kind}",
            filename=f"{batch.id}_{kind}.jsonl",
            purpose="batch_output",
            size_bytes=size_bytes,
            created_at=now,
        )
        for kind, size_bytes, items in wanted
        if items
    ]
