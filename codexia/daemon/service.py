"""What a service manager does for us, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codexia.daemon.program import Program

Activity: TypeAlias = Literal[
    "active", "activating", "deactivating", "reloading", "failed", "inactive"
]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The service as its manager sees it.

    Attributes:
        installed: whether the service file is there.
        activity: in systemd's words.
        enabled: whether it starts by itself.
        pid: of the supervisor; None while none runs.
        memory_bytes: of all its processes, where the manager counts that.
        run: names the last start; another one after each.
        failure: how the last run ended, "" if it runs or ended well.
    """

    installed: bool
    activity: Activity = "inactive"
    enabled: bool = False
    pid: int | None = None
    memory_bytes: int | None = None
    run: int = 0
    failure: str = ""


class ServiceManager(Protocol):
    """Installs and runs one service of this user."""

    name: str
    file: Path

    def check(self) -> None:
        """Return if the manager answers.

        Raises:
            DaemonError: it does not; says why and what to do.
        """
        ...

    def install(self, program: Program) -> bool:
        """Write the service file and have the service start by itself; return whether it changed."""
        ...

    def uninstall(self) -> bool:
        """Remove the stopped service; return whether there was one."""
        ...

    def start(self) -> None:
        """Ask for a start and return at once."""
        ...

    def stop(self) -> None:
        """Stop the service and return when it has."""
        ...

    def restart(self, *, rewritten: bool = False) -> None:
        """Ask for another run in place of this one, by the service file as it is now."""
        ...

    def state(self) -> ServiceState:
        """Return how the service is."""
        ...

    def environment(self) -> Mapping[str, str]:
        """Return the environment that the service file gives; empty if there is none."""
        ...

    def log_command(self, lines: int, *, follow: bool) -> tuple[str, ...]:
        """Return the command that shows the last lines of the service's log."""
        ...

    def hints(self) -> tuple[str, ...]:
        """Return what the user may want to do besides."""
        ...


def failure_of(exit_code: int) -> str:
    """Return what an exit code of `codexia serve`, or of the attempt to start it, means."""
    match exit_code:
        case 0:
            return ""
        case 78:
            return "exit code 78: the settings are wrong"
        case 203:
            return "exit code 203: the executable cannot be started; run `codexia daemon reinstall`"
        case _:
            return f"exit code {exit_code}"
