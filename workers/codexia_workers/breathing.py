"""Whether a worker has time for more: how late its event loop runs what is due.

Requests of clients and items of batches share one event loop. While it runs late, clients
wait for their deltas, so nothing that can wait is begun.
"""

from __future__ import annotations

import asyncio
from typing import Final

PROBE_S: Final = 0.01
LATE_S: Final = 0.02
TRUSTED_S: Final = 0.05
MAX_WAIT_S: Final = 10.0
"""Longest that anything is held back, so that a batch gets on, slowly, on the busiest day."""


class Breathing:
    """Measures the lag of the running event loop, only while somebody asks."""

    def __init__(self) -> None:
        self._probing = asyncio.Lock()
        self._calm_until = 0.0

    async def calm(self) -> None:
        """Return once the event loop keeps up, or after `MAX_WAIT_S`."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + MAX_WAIT_S
        async with self._probing:
            while loop.time() < give_up_at:
                if loop.time() < self._calm_until:
                    return
                due = loop.time() + PROBE_S
                await asyncio.sleep(PROBE_S)
                if loop.time() - due < LATE_S:
                    self._calm_until = loop.time() + TRUSTED_S
