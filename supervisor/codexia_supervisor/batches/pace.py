"""How many items may run at once, and from when: slower at every refusal, faster at every success.

A backend that is overloaded, cannot be reached or fails again and again halves the queue and stops
it for a while that doubles each time; successes give back one slot a time. What the plan
refuses is of single batches: `turns.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

FIRST_BACKOFF_S: Final = 1.0
MAX_BACKOFF_S: Final = 60.0
LOGIN_S: Final = 30.0
FAILURES: Final = 10
"""As many in a row are no longer the fault of single items."""

REASONS: Final = {
    "overload": "the backend is overloaded",
    "unreachable": "the backend cannot be reached",
    "failing": "the backend fails",
    "login": "there is no usable login; run `codexia login`",
}


@dataclass(slots=True)
class Pace:
    """The speed of the queue.

    Attributes:
        waits_until: no item begins before this.
        reason: why, for people.
        slots: as many items may run as far as the backend shows; None when it never refused.
    """

    waits_until: float = 0.0
    reason: str = ""
    slots: int | None = None
    _backoff_s: float = field(default=FIRST_BACKOFF_S)
    _refused_at: float = field(default=0.0)
    _successes: int = field(default=0)
    _failures: int = field(default=0)

    def allowed(self, concurrency: int, now: float) -> int:
        """Return how many items may run now, of the `concurrency` that is configured."""
        if now < self.waits_until:
            return 0
        self.reason = ""
        return concurrency if self.slots is None else min(self.slots, concurrency)

    def succeeded(self, concurrency: int) -> None:
        """Take note of an item that went well."""
        self._backoff_s = FIRST_BACKOFF_S
        self._failures = 0
        if self.slots is None:
            return
        self._successes += 1
        if self._successes >= self.slots:
            self._successes = 0
            self.slots = None if self.slots + 1 >= concurrency else self.slots + 1

    def failed(self, concurrency: int, begun_at: float, now: float) -> None:
        """Take note of a failure of the backend that may lie with the item alone."""
        self._failures += 1
        if self._failures >= FAILURES:
            self.refused("failing", None, concurrency, begun_at, now)

    def refused(
        self, cause: str, after_s: float | None, concurrency: int, begun_at: float, now: float
    ) -> None:
        """Take note of a refusal of a request that began at `begun_at`."""
        if cause == "login":
            self.wait(now + LOGIN_S, REASONS[cause])
        elif begun_at > self._refused_at or not self._refused_at:
            # Those that began before the last refusal say nothing new.
            self._refused_at = now
            self._successes = 0
            self.slots = max(1, min(self.slots or concurrency, concurrency) // 2)
            self.wait(now + max(self._backoff_s, after_s or 0.0), REASONS[cause])
            self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)

    def wait(self, until: float, reason: str) -> None:
        """Let no item begin before `until`."""
        if until > self.waits_until:
            self.waits_until, self.reason = until, reason

    def resume(self) -> None:
        """Take note that what held up the queue may be over, e.g. by a new login."""
        self.waits_until, self.reason = 0.0, ""
