"""`codexia` as a person runs it: in a process of its own, its two outputs apart."""

from __future__ import annotations

import os
import subprocess
import sys

TIMEOUT_S = 20.0
COMMANDS = (
    "serve",
    "login",
    "logout",
    "refresh",
    "status",
    "config",
    "daemon",
    "update",
    "completion",
    "models",
    "batches",
    "recordings",
    "demo",
    "simulate",
)


def codexia(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nothing on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "codexia", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def assert_one_line_error(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """The command failed with exit 1 and said why in one line."""
    assert done.returncode == 1, done
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line
