"""The gate before the backend: no more streams at once than this worker's share of the caps.

The supervisor divides the caps among the workers (`StreamShares`), so that a request asks nobody.
What this worker has and wants it tells whenever that changes, and is given more or less.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from codexia.control import Demand, Need
from codexia.errors import Crowded, SupervisorUnavailable
from codexia_workers.fair_queue import ACCOUNT, FairQueue, Ticket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codexia.control import GenerationSpec, Snapshot
    from codexia_workers.observations import Observations
    from codexia_workers.supervisor_calls import SupervisorCalls

logger = logging.getLogger("codexia.worker")

TELL_GAP_S: Final = 0.1
TELL_TIMEOUT_S: Final = 5.0
ALONE_S: Final = 2.0
"""How long a new worker waits for its first share before it takes an even one. It then serves
without a supervisor, in the place of a worker that died without one."""

LONGEST_ADVICE_S: Final = 60.0
WEIGHT: Final = 0.1


class Admission:
    """The streams of one worker, those that run and those that wait."""

    def __init__(
        self, supervisor: SupervisorCalls, observed: Observations, spec: GenerationSpec
    ) -> None:
        """Admit nothing that a cap is for, until there is a share of it."""
        self._supervisor = supervisor
        self._observed = observed
        self._workers = spec.workers
        self._division = spec.snapshot.shares
        self._queue = FairQueue()
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        self._shares: dict[str, int] = {}
        self._has_share = False
        self._news = asyncio.Event()
        self._mean_s = 1.0
        self.follow(spec.snapshot)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._queue.waiting[ACCOUNT]

    def follow(self, snapshot: Snapshot) -> None:
        """Go by the caps and shares of a snapshot."""
        self._division = snapshot.shares
        mine = self._division.by_worker.get(self._observed.name)
        if mine is not None:
            self._has_share = True
            self._shares = mine
        # A supervisor that does not know this worker yet learns by the next report what it has.
        self._apply()
        self.tell_again()

    def tell_again(self) -> None:
        """Tell what this worker has to a supervisor that may be a new one."""
        if self._queue.limits:
            self._news.set()

    @asynccontextmanager
    async def slot(
        self, key: str, timeout_s: float, *, batch: bool = False
    ) -> AsyncGenerator[None]:
        """Wait for a stream's turn; it has a place for as long as the context lasts.

        Args:
            key: name of the local key.
            timeout_s: longest wait of a live request. Items of batches have nobody who waits.
            batch: whether it is an item of a batch.

        Raises:
            Crowded: its turn did not come.
        """
        ticket = Ticket(key, batch)
        self._queue.enter(ticket)
        loop = asyncio.get_running_loop()
        entered_at = loop.time()
        try:
            self._admit()
            if not ticket.admitted:
                await self._turn(ticket, None if batch else timeout_s)
            begun_at = loop.time()
            self._observed.waited(begun_at - entered_at, batch=batch)
            try:
                yield
            finally:
                self._mean_s += WEIGHT * (loop.time() - begun_at - self._mean_s)
        finally:
            self._queue.leave(ticket)
            self._admit()
            self.tell_again()

    async def run(self) -> None:
        """Tell the supervisor what changes, for as long as the worker lives."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_even_share())
            while True:
                await self._news.wait()
                await self._tell()
                await asyncio.sleep(TELL_GAP_S)

    async def _turn(self, ticket: Ticket, timeout_s: float | None) -> None:
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        self.tell_again()
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except TimeoutError:
            self._observed.waited_in_vain()
            raise Crowded(
                "too many requests are under way here, and this one's turn did not come within "
                f"{timeout_s:g} s; try again, or raise max_upstream_streams or queue_timeout_s",
                retry_after_s=self._advised_wait_s(),
            ) from None
        finally:
            del self._turns[ticket]

    def _admit(self) -> None:
        for ticket in self._queue.admit():
            turn = self._turns.get(ticket)
            if turn is not None and not turn.done():
                turn.set_result(None)

    def _advised_wait_s(self) -> float:
        places = max(1, self._queue.limits.get(ACCOUNT, 1))
        return min(LONGEST_ADVICE_S, max(1.0, self._mean_s * self.waiting / places))

    def _apply(self) -> None:
        self._queue.limits = {name: self._shares.get(name, 0) for name in self._division.caps}
        self._admit()

    async def _take_even_share(self) -> None:
        await asyncio.sleep(ALONE_S)
        if not self._has_share:
            self._shares = {
                name: max(1, cap // self._workers) for name, cap in self._division.caps.items()
            }
            self._apply()

    async def _tell(self) -> None:
        self._news.clear()
        queue = self._queue
        demand = Demand(
            worker=self._observed.name,
            number=self._division.number,
            needs={
                name: Need(
                    held=max(limit, queue.running[name]),
                    running=queue.running[name],
                    waiting=queue.waiting[name],
                )
                for name, limit in queue.limits.items()
            },
        )
        content = demand.model_dump_json().encode()
        try:
            await self._supervisor.call("POST", "/demand", content, TELL_TIMEOUT_S, repeatable=True)
        except SupervisorUnavailable as error:
            logger.debug("demand not told: %s", error)
