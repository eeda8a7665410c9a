"""Whether a worker has time for more: how late its event loop runs what is due.

Requests of clients and items of batches share one event loop. While it runs late, clients
wait for their deltas, so nothing that can wait is begun. The metrics have every measurement.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_S: Final = 1.0
PROBE_S: Final = 0.01
LATE_S: Final = 0.02
TRUSTED_S: Final = 0.05
MAX_WAIT_S: Final = 10.0
"""Longest that anything is held back, so that a batch gets on, slowly, on the busiest day."""


class Breathing:
    """Measures the lag of the running event loop: often while somebody asks, else now and then."""

    def __init__(self, lagged: Callable[[float], None] | None = None) -> None:
        """Measure nothing yet.

        Args:
            lagged: called with every measurement, in seconds.
        """
        self._lagged = lagged
        self._probing = asyncio.Lock()
        self._calm_until = 0.0

    async def run(self) -> None:
        """Measure now and then, for as long as the worker lives."""
        while True:
            await self._lag_s(LOOK_S)

    async def calm(self) -> None:
        """Return once the event loop keeps up, or after `MAX_WAIT_S`."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + MAX_WAIT_S
        async with self._probing:
            while loop.time() < give_up_at:
                if loop.time() < self._calm_until:
                    return
                if await self._lag_s(PROBE_S) < LATE_S:
                    self._calm_until = loop.time() + TRUSTED_S

    async def _lag_s(self, after_s: float) -> float:
        loop = asyncio.get_running_loop()
        due = loop.time() + after_s
        await asyncio.sleep(after_s)
        lag_s = max(0.0, loop.time() - due)
        if self._lagged is not None:
            self._lagged(lag_s)
        return lag_s
