"""All caps on streams, each divided among the workers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from codexia.control import StreamShares
from codexia_supervisor.division import Division

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from codexia.control import Demand

GONE_S: Final = 3.0
"""How long a worker that lost us keeps its share: it is back within a second, unless it ended."""


def _later(delay_s: float, call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(delay_s, call)


class Shares:
    """What every worker may have of every cap.

    Attributes:
        current: the division in force.
    """

    def __init__(
        self,
        expected: Callable[[], int],
        changed: Callable[[], None],
        later: Callable[[float, Callable[[], None]], object] = _later,
    ) -> None:
        """Divide nothing yet.

        Args:
            expected: gives how many workers there are.
            changed: called when `current` did.
            later: makes a call after so many seconds.
        """
        self._expected = expected
        self._changed = changed
        self._later = later
        self._divisions: dict[str, Division] = {}
        self._following: Counter[str] = Counter()
        # Workers outlive a supervisor. What they say of an earlier one's division is not of ours.
        self.current = StreamShares(number=int(time.time() * 1000))

    def configure(self, caps: Mapping[str, int]) -> None:
        """Go by these caps from now on; calls nobody."""
        if caps == self.current.caps:
            return
        for name, cap in caps.items():
            self._divisions.setdefault(name, Division(cap)).cap = cap
        self._divisions = {name: self._divisions[name] for name in caps}
        self._divide()

    def report(self, demand: Demand) -> None:
        """Take what a worker has and wants."""
        if not self._following[demand.worker]:
            # It is about to follow, or this is its last word.
            self._forget_later(demand.worker)
        current = demand.number == self.current.number
        for name, need in demand.needs.items():
            if division := self._divisions.get(name):
                division.report(demand.worker, need, current=current)
        self._divide_and_tell()

    @contextmanager
    def following(self, worker: str) -> Generator[None]:
        """Count a worker as there; once it stays away its part is free."""
        self._following[worker] += 1
        try:
            yield
        finally:
            self._following[worker] -= 1
            self._forget_later(worker)

    def _forget_later(self, worker: str) -> None:
        def forget() -> None:
            if self._following[worker]:
                return
            del self._following[worker]
            for division in self._divisions.values():
                division.forget(worker)
            self._divide_and_tell()

        self._later(GONE_S, forget)

    def _divide_and_tell(self) -> None:
        before = self.current
        self._divide()
        if self.current != before:
            self._changed()

    def _divide(self) -> None:
        by_worker: dict[str, dict[str, int]] = {}
        expected = self._expected()
        for name, division in self._divisions.items():
            division.divide(expected)
            for worker, share in division.shares.items():
                by_worker.setdefault(worker, {})[name] = share
        caps = {name: division.cap for name, division in self._divisions.items()}
        if caps != self.current.caps or by_worker != self.current.by_worker:
            number = self.current.number + 1
            self.current = StreamShares(number=number, caps=caps, by_worker=by_worker)
