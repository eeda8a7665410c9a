"""The background service, where one is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia.daemon.error import DaemonError
from codexia.daemon.platforms import service_manager
from codexia.doctor.finding import Finding

if TYPE_CHECKING:
    from codexia.doctor.subject import Subject

NAME = "daemon"


def check_service(subject: Subject) -> list[Finding]:
    """Return how the installed service fares; nothing where none is."""
    try:
        manager = service_manager()
        if not manager.file.exists():
            return []
        manager.check()
        state = manager.state()
    except DaemonError as error:
        return [Finding(NAME, "warning", error.message)]
    if state.pid is None:
        found = f"installed and not running; {state.failure}".rstrip("; ")
        return [Finding(NAME, "warning", found, "codexia daemon start")]
    running = subject.running
    if running is not None and running.pid != state.pid:
        found = f"process {running.pid} serves this home, and not {manager.name}'s {state.pid}"
        return [Finding(NAME, "warning", found, "end one of them")]
    return [Finding(NAME, "ok", f"{state.activity}, process {state.pid} ({manager.name})")]
