"""`codexia serve --replace`: a home is taken over from the supervisor that runs in it."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from codexia.control import HandoverRequest
from codexia.control_client import ControlClient
from codexia.errors import CodexiaError, NotFound, SupervisorUnavailable
from codexia_supervisor.lock import AlreadyRunning, InstanceLock

if TYPE_CHECKING:
    from codexia.paths import Home

logger = logging.getLogger("codexia.supervisor")

TIMEOUT_S: Final = 45.0
"""Longer than streams may take to finish in a supervisor that was told to stop just before."""

RETRY_S: Final = 0.05


class NotHandedOver(CodexiaError):
    """The supervisor that runs goes on running; the message says what to do."""


def take_over(home: Home) -> InstanceLock:
    """Return the lock of a home, after the supervisor that had it handed over, if there was one.

    Raises:
        NotHandedOver: it cannot, or did not in time.
    """
    deadline = time.monotonic() + TIMEOUT_S
    pause = threading.Event()
    asked = False
    while True:
        try:
            return InstanceLock(home.lock_file)
        except AlreadyRunning as error:
            if time.monotonic() > deadline:
                raise NotHandedOver(
                    f"process {error.pid} did not hand over within {TIMEOUT_S:.0f} s; "
                    "see its log, or stop it"
                ) from error
            asked = asked or _ask(home, error.pid)
        pause.wait(RETRY_S)


def _ask(home: Home, pid: str) -> bool:
    """Ask the supervisor to hand over; return whether it was heard."""
    if not home.control_socket.exists():
        return False  # it starts just now
    try:
        ControlClient(home.control_socket).call("POST", "/handover", HandoverRequest(now=True))
    except NotFound as error:
        raise NotHandedOver(
            f"the codexia that runs here as process {pid} is of a version that cannot hand over; "
            "stop it (its streams may finish for 30 s) and start again"
        ) from error
    except SupervisorUnavailable:
        return False  # it starts or ends just now
    logger.info("taking over pid=%s", pid)
    return True
