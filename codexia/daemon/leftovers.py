"""Generations of workers that outlived their supervisor.

A stopped supervisor leaves none. One that was killed does, and the service manager spares them
so that the next supervisor can take them on; when none is to come they have to go.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from codexia.control import GenerationHello

if TYPE_CHECKING:
    from pathlib import Path

    from codexia.paths import Home

GREETING_TIMEOUT_S: Final = 1.0
GRACE_S: Final = 30.0
"""How long open streams may take to finish, as when a supervisor stops."""

MAX_LINE_BYTES: Final = 65536


def end_leftovers(home: Home) -> int:
    """End the generations of a home without a supervisor; return how many there were."""
    found = [each for path in home.socket_dir.glob("generation-*.sock") if (each := _greet(path))]
    for pid, _ in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    for pid, lifeline in found:
        with lifeline:
            lifeline.settimeout(GRACE_S)
            try:
                while lifeline.recv(MAX_LINE_BYTES):
                    pass
            except TimeoutError:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)  # it leads a session with its workers
    return len(found)


def _greet(path: Path) -> tuple[int, socket.socket] | None:
    """Return a generation's pid, and a connection that ends when it does."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(GREETING_TIMEOUT_S)
    try:
        connection.connect(str(path))
        line = connection.recv(MAX_LINE_BYTES)
        return GenerationHello.model_validate_json(line.split(b"\n")[0]).pid, connection
    except (OSError, ValidationError):
        connection.close()
        return None
