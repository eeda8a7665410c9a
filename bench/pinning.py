"""Which cores processes may run on."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable


@contextmanager
def apart(carriers: Iterable[int], others: Iterable[int]) -> Generator[None]:
    """Give the last core to some processes and the rest to others while the block runs."""
    cores = os.sched_getaffinity(0)
    last = max(cores)
    _confine(carriers, {last})
    _confine(others, cores - {last} or cores)
    try:
        yield
    finally:
        _confine([*carriers, *others], cores)


def _confine(pids: Iterable[int], cores: set[int]) -> None:
    """Confine every thread; those that are started later have it from who starts them."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):  # ended just now
                os.sched_setaffinity(int(thread.name), cores)
