"""Wrong local keys: answered at a pace, so that guessing is slow, and told to the operator.

Who presents a right key is never made to wait, whoever else guesses: from loopback all clients
have one address, and a lock-out would be an attack by itself. So this bounds what guessing
costs us and how fast it goes over a connection; that a key cannot be guessed is its length's doing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from codexia.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("codexia.gate")

PER_S: Final = 10
AT_ONCE: Final = 20
LONGEST_WAIT_S: Final = 5.0
TELL_EVERY_S: Final = 60.0


class WrongKeys:
    """The pace at which one worker answers those who present no right key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_at = 0.0
        self._told_at = float("-inf")

    async def pause(self) -> None:
        """Return when the next refusal may go out: the first ones at once, then `PER_S` a second.

        Raises:
            RateLimited: too many wait already.
        """
        wait_s = self.wait_s()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    def wait_s(self) -> float:
        """Return how long one more has to wait, and count it.

        Raises:
            RateLimited: it would be longer than `LONGEST_WAIT_S`.
        """
        now = self._clock()
        next_at = max(self._next_at, now - AT_ONCE / PER_S) + 1 / PER_S
        wait_s = max(0.0, round(next_at - now, 6))
        if wait_s > 0:
            self._tell(now)
        if wait_s > LONGEST_WAIT_S:
            raise RateLimited(
                "too many requests without a right local key", retry_after_s=LONGEST_WAIT_S
            )
        self._next_at = next_at
        return wait_s

    def _tell(self, now: float) -> None:
        if now - self._told_at >= TELL_EVERY_S:
            logger.warning("wrong local keys come faster than %s a second", PER_S)
            self._told_at = now
