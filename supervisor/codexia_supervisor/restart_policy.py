"""When to start the next generation after one failed."""

from __future__ import annotations

from collections import deque
from typing import Final

FIRST_DELAY_S: Final = 0.2
MAX_DELAY_S: Final = 30.0
HEALTHY_AFTER_S: Final = 60.0
LOOP_EXITS: Final = 8
LOOP_WINDOW_S: Final = 60.0


class RestartPolicy:
    """Exponential back-off that forgets once a generation has been healthy for a minute.

    Eight failures within a minute, none of them of a generation that had become ready, are a
    crash loop: tries go on at the slowest pace, and `looping` says so.
    """

    def __init__(self) -> None:
        self.looping = False
        self._failures = 0
        self._stillborn: deque[float] = deque(maxlen=LOOP_EXITS)

    def failed(self, now: float, healthy_s: float | None) -> float:
        """Return the time of the next start.

        Args:
            now: monotonic seconds.
            healthy_s: how long the generation served; None when it never became ready.
        """
        if healthy_s is None:
            self._stillborn.append(now)
        else:
            self._stillborn.clear()
        if healthy_s is not None and healthy_s >= HEALTHY_AFTER_S:
            self._failures = 0
        self.looping = (
            len(self._stillborn) == LOOP_EXITS and now - self._stillborn[0] <= LOOP_WINDOW_S
        ) or (self.looping and healthy_s is None)
        # One that had served for long is replaced at once; clients are waiting.
        first = self._failures == 0 and healthy_s is not None
        delay = FIRST_DELAY_S * 2 ** min(self._failures, 16)
        self._failures += 1
        if self.looping:
            return now + MAX_DELAY_S
        return now if first else now + min(delay, MAX_DELAY_S)
