"""One supervisor per home."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from codexia.errors import CodexiaError

if TYPE_CHECKING:
    from pathlib import Path


class AlreadyRunning(CodexiaError):
    """Another supervisor holds this home.

    Attributes:
        pid: of that one, "?" where it is not known.
    """

    def __init__(self, pid: str) -> None:
        super().__init__(
            f"codexia is already running here as process {pid}; take over from it with "
            "--replace, stop it first, or set CODEXIA_HOME to run another one"
        )
        self.pid = pid


class InstanceLock:
    """The exclusive lock of a home; the kernel lets it go when the process ends, however."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            AlreadyRunning: another process has it; says which.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise AlreadyRunning(pid or "?") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another supervisor take the home."""
        os.close(self._descriptor)
