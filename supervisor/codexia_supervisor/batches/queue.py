"""The queue in memory: which items wait, run or are being settled. It does no I/O.

Whoever drives it reads and writes what is on disk, and tells the queue before and after. Nothing
here has to survive: from the disk and from what workers hold, all of it can be made again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from codexia_supervisor.batches.leases import Lease, Leases
from codexia_supervisor.batches.pace import Pace
from codexia_supervisor.batches.states import ACTIVE, begins, ends
from codexia_supervisor.batches.turns import Item, Turns
from codexia_supervisor.batches.verdicts import Retried, Returned, Settled, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from codexia.batches import Outcome
    from codexia_supervisor.batches.states import BatchRecord

REUNION_S: Final = 3.0
"""Workers that outlived a supervisor have this long to say what they hold before items begin."""

UNKNOWN_LIMIT_S: Final = 300.0
MAX_LIMIT_S: Final = 3600.0
"""A plan's window may open before its time, by a reset or another plan: it is tried that often."""

PLAN_LIMIT: Final = "the plan's limit is reached"


@dataclass(frozen=True, slots=True)
class Wait:
    """Why no item begins before `until`, unix seconds; 0.0 when nothing holds them up."""

    until: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Settling:
    """An outcome on its way to the disk, and the lease that it ended, if there was one."""

    outcome: Outcome
    lease: Lease | None


class Queue:
    """Active batches and their items.

    An item is in at most one place: it waits, runs, or is being settled. Those that are in none
    are on disk only.
    """

    def __init__(self) -> None:
        self.leases = Leases()
        self.pace = Pace()
        self._turns = Turns()
        self._batches: dict[int, BatchRecord] = {}
        self._settling: dict[int, Settling] = {}
        self._reunion_until = 0.0

    def restart(self, batches: Iterable[BatchRecord], now: float, *, reunion: bool) -> None:
        """Begin with what is on disk; what runs goes on.

        Args:
            batches: all that are active.
            now: unix seconds, as all times here.
            reunion: whether workers may hold items that nobody here knows of.
        """
        self._turns = Turns()
        self._batches = {}
        for batch in batches:
            self.put(batch)
        if reunion and self._batches:
            self._reunion_until = now + REUNION_S

    def reunited(self) -> None:
        """Take note that all workers are here."""
        self._reunion_until = 0.0

    def put(self, batch: BatchRecord) -> None:
        """Take on a batch, or what changed of it."""
        known = self._batches.get(batch.number)
        if batch.state not in ACTIVE:
            self._turns.close(batch.number)
            self._batches.pop(batch.number, None)
            return
        self._batches[batch.number] = batch
        if batch.state == "canceling":
            self._turns.close(batch.number)
        elif known is None:
            self._turns.open(batch.number, batch.key_name)

    def give_back(self, items: Iterable[Item]) -> None:
        """Let items wait again that were assigned and did not reach their worker."""
        for item in items:
            if item.number in self.leases:
                self.leases.end(item.number)
            self._put_back([item])

    def batch(self, number: int) -> BatchRecord | None:
        """Return an active batch."""
        return self._batches.get(number)

    @property
    def active(self) -> tuple[BatchRecord, ...]:
        """The active batches."""
        return tuple(self._batches.values())

    def believe(self, batch: int, until: float, now: float) -> None:
        """Take note of until when the account says that a batch is refused; 0.0 when it is not."""
        self._turns.believed(batch, until, now)

    def wait(self, batch: int, now: float) -> Wait:
        """Return what holds up a batch."""
        until = self._turns.waits_until(batch)
        if until <= max(now, self.pace.waits_until):
            return self.common_wait(now)
        return Wait(until, PLAN_LIMIT)

    def common_wait(self, now: float) -> Wait:
        """Return what holds up all batches."""
        return (
            Wait(self.pace.waits_until, self.pace.reason) if self.pace.waits_until > now else Wait()
        )

    def running(self, batch: int) -> int:
        """Return how many items of a batch run, or have an outcome that is not on disk yet."""
        settling = sum(
            each.lease is not None and each.lease.item.batch == batch
            for each in self._settling.values()
        )
        return self.leases.running(batch) + settling

    def hungry(self) -> list[tuple[int, int]]:
        """Return batches that need items from the disk, and the number after which."""
        return self._turns.hungry()

    def feed(self, batch: int, items: Sequence[Item], cursor: int, *, complete: bool) -> None:
        """Take on items from the disk: the pending ones up to the number `cursor`."""
        waiting = [item for item in items if not self._busy(item.number)]
        self._turns.feed(batch, waiting, cursor, complete=complete)

    def come(self, worker: str, generation: int, holding: Sequence[Item], now: float) -> None:
        """Take on a worker that is connected, with the pending items that it says it runs."""
        holding = [item for item in holding if item.number not in self._settling]
        for item in holding:
            self._turns.remove(item.number)
        self._put_back(self.leases.come(worker, generation, holding, now))

    def go(self, worker: str, now: float) -> None:
        """Take note that a worker's connection ended."""
        self.leases.go(worker, now)

    def assign(
        self, concurrency: int, excluded: Callable[[int], bool], now: float
    ) -> dict[str, list[Item]]:
        """Return by worker the items that it is to run from now on.

        Args:
            concurrency: as many items may run, all in all.
            excluded: whether a generation gets none.
            now: the time.
        """
        self._put_back(self.leases.give_up(now))
        for batch in list(self._batches.values()):
            if not begins(batch, now):
                self._turns.close(batch.number)
        given: dict[str, list[Item]] = {}
        if now < self._reunion_until:
            return given
        while len(self.leases) < self.pace.allowed(concurrency, now):
            worker = self.leases.idlest(excluded)
            item = self._turns.next(now) if worker is not None else None
            if worker is None or item is None:
                break
            self.leases.begin(item, worker, now)
            given.setdefault(worker, []).append(item)
        return given

    def take(
        self, worker: str, outcomes: Iterable[Outcome], concurrency: int, now: float
    ) -> list[Settling]:
        """Return what is to be written of some outcomes; their workers are free for others.

        An outcome counts from whichever worker it comes first.
        """
        taken: list[Settling] = []
        for outcome in outcomes:
            if outcome.item in self._settling:
                continue
            lease = self.leases.find(outcome.item)
            if lease is not None and lease.worker != worker and _is_return(outcome):
                continue  # another worker has it by now, who has not given it up
            if lease is not None:
                self.leases.end(outcome.item)
            else:
                self._turns.remove(outcome.item)
            settling = Settling(outcome, lease)
            self._settling[outcome.item] = settling
            self._note(settling, concurrency, now)
            taken.append(settling)
        return taken

    def settle(self, settled: Sequence[Settling], waiting: Mapping[int, Item]) -> None:
        """Take note of what is on disk now.

        Args:
            settled: outcomes that `take` returned.
            waiting: those of their items that still wait, as they are on disk now.
        """
        for each in settled:
            number = each.outcome.item
            del self._settling[number]
            if number in waiting:
                self._put_back([waiting[number]])

    def count(self, succeeded: Mapping[int, int], errored: Mapping[int, int]) -> None:
        """Add to the counts of batches, by number, what is on disk now."""
        for number in succeeded.keys() | errored.keys():
            batch = self._batches.get(number)
            if batch is not None:
                self._batches[number] = replace(
                    batch,
                    succeeded=batch.succeeded + succeeded.get(number, 0),
                    errored=batch.errored + errored.get(number, 0),
                )

    def keep(self, unsettled: Sequence[Settling], now: float) -> None:
        """Take note that outcomes could not be written; their worker will come again.

        Others may wait on disk for which there was no lease, so `restart` has to follow.
        """
        for each in unsettled:
            del self._settling[each.outcome.item]
            if each.lease is None:
                continue
            if self.leases.knows(each.lease.worker):
                self.leases.begin(each.lease.item, each.lease.worker, now)
            else:
                self._put_back([each.lease.item])

    def over(self, now: float) -> list[BatchRecord]:
        """Return the batches that end now."""
        if now < self._reunion_until:
            return []
        running = Counter(lease.item.batch for lease in self.leases)
        running.update(
            each.lease.item.batch for each in self._settling.values() if each.lease is not None
        )
        return [
            batch for batch in self._batches.values() if ends(batch, running[batch.number], now)
        ]

    def next_at(self, now: float) -> float | None:
        """Return when something is to be done by the clock alone; None when nothing is."""
        times = [
            self._reunion_until,
            self.pace.waits_until,
            self.leases.next_at() or 0.0,
            self._turns.next_at(now) or 0.0,
            *(batch.expires_at for batch in self._batches.values()),
        ]
        return min((each for each in times if each > now), default=None)

    def _busy(self, number: int) -> bool:
        return number in self.leases or number in self._settling

    def _put_back(self, items: Iterable[Item]) -> None:
        for item in items:
            if not self._busy(item.number):
                self._turns.put(item)

    def _note(self, settling: Settling, concurrency: int, now: float) -> None:
        lease = settling.lease
        begun_at = lease.begun_at if lease else now
        match judge(settling.outcome, 0):
            case Settled(succeeded=True):
                self.pace.succeeded(concurrency)
            case Returned("plan_limit", after_s):
                if lease is not None:
                    until = now + min(after_s or UNKNOWN_LIMIT_S, MAX_LIMIT_S)
                    self._turns.refused(lease.item.batch, until)
            case Returned(str() as pause, after_s):
                self.pace.refused(pause, after_s, concurrency, begun_at, now)
            case Retried():
                self.pace.failed(concurrency, begun_at, now)
            case _:
                pass


def _is_return(outcome: Outcome) -> bool:
    return not isinstance(judge(outcome, 0), Settled)
