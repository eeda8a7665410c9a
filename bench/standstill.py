"""Processes that stand still while others are measured."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Generator


@contextmanager
def standstill(pids: Collection[int]) -> Generator[None]:
    """Let some processes do nothing while the block runs.

    Who was flooded is busy for seconds after his streams are over, and would be in the way of the
    lanes after his.
    """
    _tell(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _tell(pids, signal.SIGCONT)


def _tell(pids: Collection[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # ended by itself
            os.kill(pid, what)
