"""Takes items of batches from the supervisor, runs them, and tells how they went.

An item is the supervisor's until its outcome is settled. Whatever happens in between, to this
process or to that one, at most makes it run again.

| an item is | known to | until |
|---|---|---|
| held | `_running` | it has its outcome, or this process ends |
| done | `_outcomes` | the supervisor says that the outcome is on disk |
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import orjson

from codexia.batches import Assignment, WorkOffer
from codexia.errors import CodexiaError, SupervisorUnavailable
from codexia.ndjson import LineSplitter
from codexia_workers.batch_item import failed_outcome, run_item
from codexia_workers.control_connection import Patience
from codexia_workers.worker import RECONNECT_S

if TYPE_CHECKING:
    from codexia.batches import Outcome
    from codexia_workers.worker import Worker

logger = logging.getLogger("codexia.batches")

GROUP_S: Final = 0.005
"""How long the first outcome waits for others: one transaction takes many as quickly as one."""

GROUP_ITEMS: Final = 64
GROUP_BYTES: Final = 16 * 1024 * 1024
NEVER_TAKEN: Final = frozenset({400, 413, 422})
"""What the supervisor says of outcomes that are no use to send again."""

SETTLE_TIMEOUT_S: Final = 60.0
SETTLE_RETRY_S: Final = 0.5
LEAVE_SETTLE_S: Final = 5.0
"""Longest that a worker which stops waits for a supervisor to take its last outcomes."""


@dataclass(frozen=True, slots=True)
class _Done:
    """An item with its outcome, as the supervisor is told it.

    Attributes:
        replaced: whether that is an error in place of what the supervisor would not take.
    """

    assignment: Assignment
    outcome: bytes
    replaced: bool = False


class BatchRunner:
    """One worker's hands for batches.

    Attributes:
        leaving: no item is begun any more.
    """

    def __init__(self, worker: Worker) -> None:
        self.leaving = False
        self._worker = worker
        self._name = secrets.token_hex(8)
        self._running: set[int] = set()
        self._outcomes: dict[int, _Done] = {}
        self._changed = asyncio.Event()
        self._taking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Take items, run and settle them, for as long as the worker lives."""
        async with asyncio.TaskGroup() as items:
            items.create_task(self._settle_all())
            self._taking = items.create_task(self._take_all(items))

    async def leave(self) -> None:
        """Return once what runs is done and settled; the rest goes back to be run by others."""
        self.leaving = True
        while self._running:
            await self._next_change()
        try:
            async with asyncio.timeout(LEAVE_SETTLE_S):
                while self._outcomes:
                    await self._next_change()
        except TimeoutError:
            logger.warning("outcomes of batches not settled count=%s", len(self._outcomes))
        if self._taking is not None:
            self._taking.cancel()

    async def _take_all(self, items: asyncio.TaskGroup) -> None:
        while True:
            try:
                await self._take_some(items)
            except (SupervisorUnavailable, ValueError) as error:
                logger.debug("work ended: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _take_some(self, items: asyncio.TaskGroup) -> None:
        """Take items as they are assigned, until the connection ends."""
        offer = WorkOffer(
            worker=self._name,
            generation=self._worker.generation,
            holding=(*self._running, *self._outcomes),
        )
        content = offer.model_dump_json().encode()
        async with self._worker.supervisor.calling("POST", "/work", content, Patience()) as reply:
            if reply.status != 200:
                raise SupervisorUnavailable(f"no work is given: status {reply.status}")
            splitter = LineSplitter()
            async for chunk in reply.chunks():
                for line in splitter.feed(chunk):
                    self._take(Assignment.model_validate(orjson.loads(line)), items)

    def _take(self, assignment: Assignment, items: asyncio.TaskGroup) -> None:
        # It may be here already: a supervisor that begins anew learns that a moment later.
        if assignment.item in self._running or assignment.item in self._outcomes:
            return
        self._running.add(assignment.item)
        items.create_task(self._run(assignment))

    async def _run(self, assignment: Assignment) -> None:
        await self._worker.breathing.calm()
        if self.leaving:
            stopping = SupervisorUnavailable("this worker stops", code="worker_stopping")
            outcome = failed_outcome(assignment, stopping)
        else:
            outcome = await run_item(self._worker, assignment)
        self._outcomes[assignment.item] = _Done(assignment, _encoded(outcome))
        self._running.discard(assignment.item)
        self._changed.set()

    async def _settle_all(self) -> None:
        failing = False
        while True:
            while not self._outcomes:
                await self._next_change()
            await asyncio.sleep(GROUP_S)
            try:
                await self._settle(self._next_group())
                failing = False
            except SupervisorUnavailable as error:
                if not failing:
                    logger.warning("outcomes of batches wait to be settled: %s", error)
                failing = True
                await asyncio.sleep(SETTLE_RETRY_S)

    def _next_group(self) -> list[_Done]:
        group: list[_Done] = []
        size_bytes = 0
        for done in islice(self._outcomes.values(), GROUP_ITEMS):
            size_bytes += len(done.outcome)
            if group and size_bytes > GROUP_BYTES:
                break
            group.append(done)
        return group

    async def _settle(self, group: list[_Done]) -> None:
        outcomes = b",".join(done.outcome for done in group)
        content = b'{"worker":"%s","outcomes":[%s]}' % (self._name.encode(), outcomes)
        status, _ = await self._worker.supervisor.call("POST", "/settle", content, SETTLE_TIMEOUT_S)
        if status in NEVER_TAKEN:
            await self._settle_refused(group, status)
        elif status >= 300:
            raise SupervisorUnavailable(f"outcomes are not taken: status {status}")
        else:
            for done in group:
                del self._outcomes[done.assignment.item]
            self._changed.set()

    async def _settle_refused(self, group: list[_Done], status: int) -> None:
        """Settle the others of a group, of which one will never be taken."""
        if len(group) > 1:
            half = len(group) // 2
            await self._settle(group[:half])
            await self._settle(group[half:])
            return
        [done] = group
        item = done.assignment.item
        if done.replaced:
            logger.error("outcome given up item=%s status=%s", item, status)
            del self._outcomes[item]
            self._changed.set()
            return
        logger.error("outcome refused, an error is told instead item=%s status=%s", item, status)
        error = CodexiaError("the answer could not be stored", code="answer_not_stored")
        outcome = _encoded(failed_outcome(done.assignment, error))
        self._outcomes[item] = _Done(done.assignment, outcome, replaced=True)

    async def _next_change(self) -> None:
        # Nothing runs between the caller's look and this, so no change is missed.
        self._changed.clear()
        await self._changed.wait()


def _encoded(outcome: Outcome) -> bytes:
    return orjson.dumps(outcome, default=dict)
