"""Whose turn it is: the keys take turns, and the batches of a key; items go in their order.

A batch whose model the plan refuses is passed over: others may go on.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LOW_WATER: Final = 128
"""A batch with fewer items in memory gets more of them from the disk."""


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """An item that waits or runs; items of a batch are ordered by number.

    Attributes:
        start: where its request begins in the content of the batch.
        attempts: that failed.
        not_before: when it may be tried again.
    """

    number: int
    batch: int
    start: int
    length: int
    attempts: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class _Lane:
    """The items of one batch that wait.

    Attributes:
        cursor: all items up to this number were here.
        complete: there are none after it.
        refused_until: the plan refused an item of it, and will refuse others before this.
        believed_until: the account says the same of its model, maybe for an item of another.
    """

    key_name: str
    cursor: int = 0
    complete: bool = False
    refused_until: float = 0.0
    believed_until: float = 0.0
    ready: list[Item] = field(default_factory=list[Item])
    delayed: list[tuple[float, Item]] = field(default_factory=list[tuple[float, Item]])
    here: dict[int, Item] = field(default_factory=dict[int, Item])

    @property
    def waits_until(self) -> float:
        return max(self.refused_until, self.believed_until)


class Turns:
    """The items that wait. Only the next few of each batch are in memory."""

    def __init__(self) -> None:
        self._lanes: dict[int, _Lane] = {}
        self._keys: dict[str, list[int]] = {}

    def open(self, batch: int, key_name: str) -> None:
        """Let a batch take part, last in its key's order."""
        self._lanes[batch] = _Lane(key_name)
        self._keys.setdefault(key_name, []).append(batch)

    def close(self, batch: int) -> None:
        """Forget a batch, if it takes part."""
        lane = self._lanes.pop(batch, None)
        if lane is not None:
            self._keys[lane.key_name].remove(batch)
            if not self._keys[lane.key_name]:
                del self._keys[lane.key_name]

    def refused(self, batch: int, until: float) -> None:
        """Take note that the plan refused an item, as it will others of the batch."""
        lane = self._lanes.get(batch)
        if lane is not None:
            lane.refused_until = max(lane.refused_until, until)

    def believed(self, batch: int, until: float, now: float) -> None:
        """Take note of what the account says: refused `until`, or 0.0.

        If it takes back what it said, the limit is over before its time.
        """
        lane = self._lanes.get(batch)
        if lane is None:
            return
        if not until and now < lane.believed_until:
            lane.refused_until = 0.0
        lane.believed_until = until

    def waits_until(self, batch: int) -> float:
        """Return before when the plan lets no item of a batch begin; 0.0 for no such time."""
        lane = self._lanes.get(batch)
        return lane.waits_until if lane is not None else 0.0

    def hungry(self) -> list[tuple[int, int]]:
        """Return batches that need more items, and the number after which those come."""
        return [
            (batch, lane.cursor)
            for batch, lane in self._lanes.items()
            if not lane.complete and len(lane.ready) < LOW_WATER
        ]

    def feed(self, batch: int, items: Iterable[Item], cursor: int, *, complete: bool) -> None:
        """Add the items of a batch up to the number `cursor`."""
        lane = self._lanes.get(batch)
        if lane is None or cursor < lane.cursor:
            return
        lane.cursor, lane.complete = cursor, complete
        for item in items:
            self.put(item)

    def put(self, item: Item) -> None:
        """Let an item wait; without effect when its batch takes no part any more."""
        lane = self._lanes.get(item.batch)
        # Those after the cursor come from the disk by themselves.
        if lane is None or item.number > lane.cursor or item.number in lane.here:
            return
        lane.here[item.number] = item
        if item.not_before:
            heapq.heappush(lane.delayed, (item.not_before, item))
        else:
            heapq.heappush(lane.ready, item)

    def remove(self, number: int) -> None:
        """Let an item not wait any longer, if it does."""
        for lane in self._lanes.values():
            lane.here.pop(number, None)

    def next(self, now: float) -> Item | None:
        """Return the item whose turn it is, which no longer waits; None when none may begin."""
        for key_name in list(self._keys):
            for batch in list(self._keys[key_name]):
                lane = self._lanes[batch]
                item = _pop(lane, now) if now >= lane.waits_until else None
                if item is not None:
                    batches = self._keys.pop(key_name)
                    batches.remove(batch)
                    self._keys[key_name] = [*batches, batch]
                    return item
        return None

    def next_at(self, now: float) -> float | None:
        """Return when items that must wait at `now` may begin, the first of them."""
        times = [lane.delayed[0][0] for lane in self._lanes.values() if lane.delayed]
        times += [lane.waits_until for lane in self._lanes.values()]
        return min((each for each in times if each > now), default=None)


def _pop(lane: _Lane, now: float) -> Item | None:
    while lane.delayed and lane.delayed[0][0] <= now:
        heapq.heappush(lane.ready, heapq.heappop(lane.delayed)[1])
    while lane.ready:
        item = heapq.heappop(lane.ready)
        # A removed one is still in the heap, and may have come back since as another.
        if lane.here.get(item.number) is item:
            del lane.here[item.number]
            return item
    return None
