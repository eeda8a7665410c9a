"""How this supervisor ends: for good, or handing over to the next one.

| what comes | what it means |
|---|---|
| a signal | stop: streams may finish, then everything ends |
| a signal, and the service manager restarts us | hand over |
| `POST /handover`, a signal within a minute | hand over |
| `POST /handover` `{"now": true}` | hand over at once |
| `POST /stop` | stop |
| a second signal | end the streams that still run |
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codexia_supervisor.generations import Generations

logger = logging.getLogger("codexia.supervisor")

ANNOUNCED_FOR_S: Final = 60.0
"""How long an announced hand-over stays what the next signal means."""

STOP_GRACE_S: Final = 30.0
"""How long running streams may take to finish after the first signal."""


class Ending:
    """Turns the first call to end into a stop or a hand-over.

    Attributes:
        begun: set once it is decided.
        handing_over: whether that is a hand-over.
    """

    def __init__(self, generations: Generations, restarted: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a call to end.

        Args:
            generations: what is stopped or handed over.
            restarted: tells whether the service manager starts us again.
        """
        self.begun = asyncio.Event()
        self.handing_over = False
        self._generations = generations
        self._restarted = restarted
        self._announced_until = 0.0
        self._signalled = asyncio.Event()

    def announce(self) -> None:
        """Let the next signal mean a hand-over."""
        self._announced_until = time.monotonic() + ANNOUNCED_FOR_S

    def on_signal(self) -> None:
        """End as the table says; `run` decides."""
        if self._signalled.is_set():
            self.stop()
        self._signalled.set()

    def stop(self) -> None:
        """Finish the running streams and end; a second call ends them at once."""
        if self.handing_over:
            return
        self._generations.stop(0.0 if self.begun.is_set() else STOP_GRACE_S)
        self.begun.set()

    def hand_over(self) -> None:
        """End, and leave the generations to the successor."""
        if self.begun.is_set():
            return
        logger.info("handing over")
        self.handing_over = True
        self._generations.hand_over()
        self.begun.set()

    async def run(self) -> None:
        """Decide what the first signal means."""
        await self._signalled.wait()
        if time.monotonic() < self._announced_until or await self._restarted():
            self.hand_over()
        elif not self.begun.is_set():
            self.stop()
