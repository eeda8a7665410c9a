"""Memory of processes, from Linux's /proc."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_mb(pid: int) -> float:
    """Return the resident set of a process, 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * PAGE_BYTES / 2**20


class MemoryWatch:
    """Reads the memory of processes at intervals, as long as its context lasts.

    Attributes:
        samples: seconds since the start, and megabytes by name.
    """

    def __init__(self, pids: Mapping[str, int], every_s: float) -> None:
        self.samples: list[tuple[float, dict[str, float]]] = []
        self._pids = pids
        self._every_s = every_s
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def highest_mb(self) -> dict[str, float]:
        """Return the highest of each."""
        return {name: max(sample[name] for _, sample in self.samples) for name in self._pids}

    def _watch(self) -> None:
        while True:
            memory = {name: resident_mb(pid) for name, pid in self._pids.items()}
            self.samples.append((time.monotonic() - self._started, memory))
            if self._stop.wait(self._every_s):
                return
