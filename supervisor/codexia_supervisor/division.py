"""One cap, divided among the workers that share it.

A worker's share is never raised before what it is taken from is free: another worker keeps
what it held until it says that it goes by less. So the sum of what they use never exceeds the
cap. Shares stay as they are while nobody waits; then they move to who does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codexia.control import Need

CLOSE_ENOUGH: Final = 8
"""A share that lacks less than its eighth is not worth a new division."""


@dataclass(slots=True)
class Part:
    """What one worker has of the cap.

    Attributes:
        share: what it was given last.
        held: the most that it may be using; never less than `share`.
        running: streams that it has.
        waiting: requests that wait for one.
    """

    share: int = 0
    held: int = 0
    running: int = 0
    waiting: int = 0

    @property
    def wanted(self) -> int:
        """How many streams it has use for."""
        return self.running + self.waiting

    def lacks(self, target: int) -> bool:
        """Return whether it is far from its target while somebody waits for that."""
        if self.share == 0:
            return target > 0
        return self.waiting > 0 and target - self.share > max(1, self.share // CLOSE_ENOUGH)


class Division:
    """The parts of one cap.

    Attributes:
        cap: may be changed; the parts follow at the next `divide`.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self._parts: dict[str, Part] = {}

    @property
    def shares(self) -> dict[str, int]:
        """What each worker is given."""
        return {worker: part.share for worker, part in self._parts.items()}

    def report(self, worker: str, need: Need, *, current: bool) -> None:
        """Take what a worker says of itself.

        Args:
            worker: its name.
            need: what it has and wants.
            current: whether it went by the newest shares when it said so.
        """
        part = self._parts.setdefault(worker, Part())
        part.running, part.waiting = need.running, need.waiting
        part.held = max(part.share if current else part.held, need.held)

    def forget(self, worker: str) -> None:
        """Let a worker's part be free: it has ended."""
        self._parts.pop(worker, None)

    def divide(self, expected: int) -> None:
        """Bring the shares to where they are needed, as far as that is possible now.

        Args:
            expected: how many workers there are. Those that were not heard of yet are left
                an even share.
        """
        unheard = max(0, expected - len(self._parts))
        parts = [*self._parts.values(), *(Part() for _ in range(unheard))]
        targets = fair_shares(self.cap, parts)
        known = list(zip(self._parts.values(), targets, strict=False))
        over = sum(part.share for part, _ in known) > self.cap
        if over or any(part.lacks(target) for part, target in known):
            for part, target in known:
                part.share = min(part.share, target)
        free = self.cap - sum(targets[len(known) :]) - sum(part.held for part, _ in known)
        for part, target in sorted(known, key=lambda each: each[0].share - each[1]):
            given = max(part.share, min(target, part.held + max(0, free)))
            free -= max(0, given - part.held)
            part.share = given
            part.held = max(part.held, given)


def fair_shares(cap: int, parts: Sequence[Part]) -> list[int]:
    """Return what each should have: what it wants if that fits, with the rest spread evenly.

    Nobody gets less than an even share for the sake of another that wants more. Everybody has
    one to begin with; where there are too few for that, those who have none now go first.
    """
    shares = [0] * len(parts)
    if cap < len(parts):
        first = sorted(
            range(len(parts)), key=lambda each: (parts[each].wanted == 0, parts[each].share)
        )
        for index in first[:cap]:
            shares[index] = 1
        return shares
    modest_first = sorted(range(len(parts)), key=lambda each: parts[each].wanted)
    for wanted in (True, False):
        for position, index in enumerate(modest_first):
            even = (cap - sum(shares)) // (len(parts) - position)
            shares[index] += min(even, max(1, parts[index].wanted)) if wanted else even
    return shares
