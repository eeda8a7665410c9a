"""The system's own programs, run to their end."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

from codexia.daemon.error import DaemonError

TIMEOUT_S: Final = 90.0
"""More than a stop may take."""


def ask(*argv: str) -> subprocess.CompletedProcess[str]:
    """Return how a program ended and what it said.

    Raises:
        DaemonError: there is no such program, or it hangs.
    """
    if shutil.which(argv[0]) is None:
        raise DaemonError(f"there is no {argv[0]} here")
    try:
        return subprocess.run(  # noqa: S603 - programs of the system, arguments of ours
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DaemonError(f"`{' '.join(argv)}` did not end within {TIMEOUT_S:.0f} s") from error


def order(*argv: str) -> str:
    """Return what a program said.

    Raises:
        DaemonError: it failed; has its own words.
    """
    done = ask(*argv)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = words[0] if words else f"exit code {done.returncode}"
        raise DaemonError(f"`{' '.join(argv)}` failed: {reason}")
    return done.stdout
