"""Who goes next: requests wait in one line a local key, and the keys take turns.

A key that sends a thousand requests at once delays its own, and those of others by one at a time.
Items of batches go when no live request can. Nothing here waits or reads a clock.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT: Final = ""
"""Stands for all keys together in `FairQueue.limits` and its counts. No configured key has this name."""

_Line: TypeAlias = "OrderedDict[Ticket, None]"


@dataclass(eq=False, slots=True)
class Ticket:
    """One request.

    Attributes:
        key: name of its local key, "" where none are configured.
        batch: whether it may wait for every live one.
        admitted: whether it runs.
    """

    key: str
    batch: bool = False
    admitted: bool = False


class FairQueue:
    """Requests that wait, and how many run.

    Attributes:
        limits: how many may run, by key, and together under `ACCOUNT`; what is not in it has none.
        running: how many do.
        waiting: how many wait.
    """

    def __init__(self) -> None:
        self.limits: Mapping[str, int] = {}
        self.running: Counter[str] = Counter()
        self.waiting: Counter[str] = Counter()
        # By urgency; within one the key whose turn it is comes first. No line is empty.
        self._lines: tuple[OrderedDict[str, _Line], ...] = (OrderedDict(), OrderedDict())

    def enter(self, ticket: Ticket) -> None:
        """Let a request wait at the end of its key's line."""
        lines = self._lines[ticket.batch]
        lines.setdefault(ticket.key, OrderedDict())[ticket] = None
        _count(self.waiting, ticket, 1)

    def leave(self, ticket: Ticket) -> None:
        """Take note that a request is over, or waits no more."""
        if ticket.admitted:
            _count(self.running, ticket, -1)
            return
        lines = self._lines[ticket.batch]
        del lines[ticket.key][ticket]
        if not lines[ticket.key]:
            del lines[ticket.key]
        _count(self.waiting, ticket, -1)

    def admit(self) -> list[Ticket]:
        """Return the requests that run from now on, in their order."""
        admitted: list[Ticket] = []
        while ticket := self._next():
            ticket.admitted = True
            _count(self.waiting, ticket, -1)
            _count(self.running, ticket, 1)
            admitted.append(ticket)
        return admitted

    def _next(self) -> Ticket | None:
        if not self._has_room(ACCOUNT):
            return None
        for lines in self._lines:
            for key, line in lines.items():
                if self._has_room(key):
                    ticket, _ = line.popitem(last=False)
                    lines.move_to_end(key)
                    if not line:
                        del lines[key]
                    return ticket
        return None

    def _has_room(self, name: str) -> bool:
        limit = self.limits.get(name)
        return limit is None or self.running[name] < limit


def _count(counter: Counter[str], ticket: Ticket, by: int) -> None:
    # Names that have nothing go, or keys that were configured once would stay for ever.
    for name in {ACCOUNT, ticket.key}:
        counter[name] += by
        if not counter[name]:
            del counter[name]
