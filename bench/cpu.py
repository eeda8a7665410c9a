"""CPU time of other processes, from the kernel's own clocks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CPUCLOCK_SCHED = 2


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far: user and system, all threads, ended ones too.

    The same sum as `utime + stime` of `/proc/PID/stat`, in nanoseconds where that has ticks of
    10 ms. A process's clock id is made of its pid as in Linux's `posix-timers.h`.
    """
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


def descendants(pid: int) -> list[int]:
    """Return the processes below one, children first."""
    children: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        children += [int(child) for child in path.read_text().split()]
    return children + [below for child in children for below in descendants(child)]


class CpuMeter:
    """CPU time of roles, each played by one or more processes, since `start`."""

    def __init__(self, pids_by_role: Mapping[str, Iterable[int]]) -> None:
        self._pids_by_role = {role: tuple(pids) for role, pids in pids_by_role.items()}
        self._started = self._read()

    def start(self) -> None:
        """Begin at zero."""
        self._started = self._read()

    def used_s(self) -> dict[str, float]:
        """Return what each role has used."""
        return {role: used - self._started[role] for role, used in self._read().items()}

    def _read(self) -> dict[str, float]:
        return {role: sum(map(cpu_s, pids)) for role, pids in self._pids_by_role.items()}
