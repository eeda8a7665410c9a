"""The processes of one home, found in /proc by their environment, and the signals to them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.ledger import Ledger

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Member:
    """One process; `role` as in `plan`."""

    pid: int
    role: str

    def __str__(self) -> str:
        """Return what tells why it is there."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[:2]
            threads = [path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/wchan")]
        except OSError:
            return f"{self.role} {self.pid} gone"
        return f"{self.role} {self.pid} {stat[0]} child of {stat[1]}, waits in {threads}"

    @property
    def rss_mb(self) -> float:
        """Resident memory, 0 once it is gone."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * PAGE_BYTES / 2**20

    @property
    def descriptors(self) -> int:
        """Open files and sockets, 0 once it is gone."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - names will do
        except OSError:
            return 0


class Fleet:
    """The processes of a home."""

    def __init__(self, home: Path, supervisor: Callable[[], int], ledger: Ledger) -> None:
        """Find processes.

        Args:
            home: that they are of.
            supervisor: gives the pid of the supervisor, 0 while there is none.
            ledger: told of every signal.
        """
        self._mark = f"CODEXIA_HOME={home}\0".encode()
        self._supervisor = supervisor
        self._ledger = ledger

    def members(self) -> list[Member]:
        """Return all that live."""
        found = [Member(pid, role) for pid in _pids() if (role := self._role_of(pid))]
        return sorted(found, key=lambda each: each.pid)

    def strike(self, what: str, role: str, chance: float) -> bool:
        """Kill or terminate one of a role; return whether there was one."""
        members = self._of(role)
        if not members:
            return False
        member = members[int(chance * len(members))]
        self._ledger.strike(what, role, member.pid)
        number = signal.SIGKILL if what == "kill" else signal.SIGTERM
        return _send(member.pid, number, whole_session=role == "generation")

    async def stop(self, role: str, chance: float, lasts_s: float) -> None:
        """Stop one of a role, and let it go on later."""
        members = self._of(role)
        if not members:
            return
        member = members[int(chance * len(members))]
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(member.pid)
            try:
                self._ledger.strike("stop", role, member.pid)
                signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
                try:
                    await asyncio.sleep(lasts_s)
                finally:
                    signal.pidfd_send_signal(descriptor, signal.SIGCONT)
            finally:
                os.close(descriptor)

    async def kill_intake(self, within_s: float) -> bool:
        """Kill the process that checks a batch as soon as there is one."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if await asyncio.to_thread(self._of, "intake"):
                return self.strike("kill", "intake", 0)
            await asyncio.sleep(0.02)
        return False

    def end(self) -> None:
        """Kill all that are left, so that a run that failed leaves nothing behind."""
        for each in self.members():
            _send(each.pid, signal.SIGKILL, whole_session=False)

    def _of(self, role: str) -> list[Member]:
        wanted = "main" if role == "generation" else role
        if wanted == "supervisor":
            pid = self._supervisor()
            return [Member(pid, role)] if pid and self._role_of(pid) else []
        return [Member(each.pid, role) for each in self.members() if each.role == wanted]

    def _role_of(self, pid: int) -> str:
        directory = Path(f"/proc/{pid}")
        try:
            ours = self._mark in (directory / "environ").read_bytes()
            command = (directory / "cmdline").read_bytes()
            state, _, _, session = (directory / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            return ""
        if not ours or state in "ZX":
            return ""
        if b"codexia_workers" in command:
            return "main" if session == str(pid) else "worker"
        if b"\0serve\0" in command:
            # Others are children of it that are not yet the program that they will be.
            return "supervisor" if pid == self._supervisor() else "child"
        return "intake" if b"batches.intake" in command else "command"


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208


def _send(pid: int, number: signal.Signals, *, whole_session: bool) -> bool:
    try:
        (os.killpg if whole_session else os.kill)(pid, number)
    except ProcessLookupError:
        return False
    return True
