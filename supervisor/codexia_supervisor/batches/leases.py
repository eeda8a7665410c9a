"""Which worker runs which items, as far as anybody can know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from codexia_supervisor.batches.turns import Item

GRACE_S: Final = 1.0
"""A worker that lost its connection has this long to come back with what it holds."""


@dataclass(slots=True)
class Lease:
    """An item at a worker since `begun_at`."""

    item: Item
    worker: str
    begun_at: float


@dataclass(slots=True)
class _Worker:
    generation: int
    items: set[int] = field(default_factory=set[int])
    gone_at: float | None = None
    connections: int = 0


class Leases:
    """The items that run. Each is at one worker; none is at a worker that is given up."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}
        self._leases: dict[int, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def __iter__(self) -> Iterator[Lease]:
        return iter(self._leases.values())

    def __contains__(self, number: int) -> bool:
        return number in self._leases

    def running(self, batch: int) -> int:
        """Return how many items of a batch run."""
        return sum(lease.item.batch == batch for lease in self._leases.values())

    def knows(self, worker: str) -> bool:
        """Return whether a worker is here, or may still come back."""
        return worker in self._workers

    @property
    def connected(self) -> int:
        """How many workers are here."""
        return sum(worker.gone_at is None for worker in self._workers.values())

    def find(self, number: int) -> Lease | None:
        """Return the lease of an item, if it has one."""
        return self._leases.get(number)

    def come(self, worker: str, generation: int, holding: Iterable[Item], now: float) -> list[Item]:
        """Take on a worker with the items that it holds.

        Returns:
            Items that were thought to be there and are not.
        """
        known = self._workers.setdefault(worker, _Worker(generation))
        known.generation, known.gone_at = generation, None
        known.connections += 1
        held = {item.number: item for item in holding}
        lost = [self.end(number).item for number in known.items - held.keys()]
        for number, item in held.items():
            if number not in self._leases:
                self.begin(item, worker, now)
        return lost

    def go(self, worker: str, now: float) -> None:
        """Take note of the end of a worker's connection; it may have made a newer one."""
        known = self._workers[worker]
        known.connections -= 1
        if not known.connections:
            known.gone_at = now

    def give_up(self, now: float) -> list[Item]:
        """Return the items of workers that did not come back in time."""
        returned: list[Item] = []
        for name, worker in list(self._workers.items()):
            if worker.gone_at is not None and now >= worker.gone_at + GRACE_S:
                returned += [self.end(number).item for number in list(worker.items)]
                del self._workers[name]
        return returned

    def idlest(self, excluded: Callable[[int], bool]) -> str | None:
        """Return the worker with the fewest items, of the generations that are not excluded."""
        free = [
            (len(worker.items), name)
            for name, worker in self._workers.items()
            if worker.gone_at is None and not excluded(worker.generation)
        ]
        return min(free)[1] if free else None

    def begin(self, item: Item, worker: str, now: float) -> None:
        """Give an item to a worker."""
        self._leases[item.number] = Lease(item, worker, now)
        self._workers[worker].items.add(item.number)

    def end(self, number: int) -> Lease:
        """Take an item from its worker."""
        lease = self._leases.pop(number)
        self._workers[lease.worker].items.discard(number)
        return lease

    def next_at(self) -> float | None:
        """Return when `give_up` has something to do."""
        ends = [each.gone_at + GRACE_S for each in self._workers.values() if each.gone_at]
        return min(ends, default=None)
