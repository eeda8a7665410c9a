"""A program in a terminal that tests can type into and read from: a tmux server of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.installed_clients import missing
from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Terminal:
    """A terminal of 120 by 40.

    Attributes:
        tmux: command that reaches its tmux server.
    """

    tmux: tuple[str, ...]

    def type(self, text: str) -> None:
        """Type a line and press Enter once it stands there."""
        self._do("send-keys", "-l", text)
        self.wait_for(text)
        self._do("send-keys", "Enter")

    def wait_for(self, text: str) -> str:
        """Return the screen as soon as it shows a text."""

        def shown() -> str | None:
            screen = self._do("capture-pane", "-p")
            return screen if text in screen else None

        return wait_until(shown, f"{text!r} on the screen")

    def _do(self, *arguments: str) -> str:
        return subprocess.run(
            [*self.tmux, *arguments], check=True, capture_output=True, text=True, timeout=10
        ).stdout


@contextmanager
def terminal(
    command: list[str], home: Path, work: Path, environment: dict[str, str]
) -> Iterator[Terminal]:
    """Give a terminal in which the command runs; it ends with the context."""
    program = shutil.which("tmux") or missing("tmux", "PATH")
    tmux = (program, "-S", str(home / "tmux.sock"), "-f", os.devnull)
    kept = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", "120", "-y", "40", "-c", str(work), *command],
        env={**kept, "HOME": str(home), **environment},
        check=True,
        timeout=10,
    )
    try:
        yield Terminal(tmux)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, timeout=10)
