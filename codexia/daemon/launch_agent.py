"""The user's launchd, by `launchctl`."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codexia.daemon.error import DaemonError
from codexia.daemon.launchd import LABEL, environment_in, render_agent
from codexia.daemon.service import ServiceState, failure_of
from codexia.daemon.tools import ask, order
from codexia.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.daemon.program import Program

STOP_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.1

_FACT = re.compile(r"^\t(pid|runs|last exit code) = (\d+)", re.MULTILINE)
"""Of the service itself: what belongs to its parts stands further in."""


class LaunchAgent:
    """A LaunchAgent of launchd."""

    name = "launchd"

    def __init__(self) -> None:
        self.file = Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    def check(self) -> None:
        """Return if launchd answers.

        Raises:
            DaemonError: it does not; says why and what to do.
        """
        self._domain()

    def install(self, program: Program) -> bool:
        """Write the property list; return whether it changed. It is taken up at the next start."""
        agent = render_agent(program)
        changed = not self.file.exists() or self.file.read_bytes() != agent
        if changed:
            program.log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # launchd would create it readable by all.
            program.log_file.touch(mode=0o600)
            replace_file(self.file, agent)
        order("launchctl", "enable", self._target())
        return changed

    def uninstall(self) -> bool:
        """Remove the property list of the stopped agent; return whether there was one."""
        if not self.file.exists():
            return False
        self.file.unlink(missing_ok=True)
        return True

    def start(self) -> None:
        """Ask for a start and return at once."""
        if self._loaded() is None:
            order("launchctl", "bootstrap", self._domain(), str(self.file))
        else:
            order("launchctl", "kickstart", self._target())

    def stop(self) -> None:
        """Stop the agent until the next login and return when it has."""
        if self._loaded() is None:
            return
        # It may say that it is still in progress.
        ask("launchctl", "bootout", self._target())
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._loaded() is not None:
            if time.monotonic() > deadline:
                raise DaemonError(f"launchd has not stopped it within {STOP_TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)

    def restart(self, *, rewritten: bool = False) -> None:
        """Ask for another run in place of this one, by the property list as it is now."""
        if rewritten:
            self.stop()
            self.start()
        elif self._loaded() is None:
            self.start()
        else:
            order("launchctl", "kickstart", "-k", self._target())

    def state(self) -> ServiceState:
        """Return how the agent is."""
        installed = self.file.exists()
        shown = self._loaded()
        if shown is None:
            return ServiceState(installed=installed, enabled=installed)
        facts = {name: int(value) for name, value in _FACT.findall(shown)}
        pid = facts.get("pid")
        failure = "" if pid else failure_of(facts.get("last exit code", 0))
        return ServiceState(
            installed=installed,
            activity="active" if pid else "failed" if failure else "inactive",
            enabled=installed,
            pid=pid,
            run=facts.get("runs", 0),
            failure=failure,
        )

    def environment(self) -> Mapping[str, str]:
        """Return the environment that the property list gives; empty if there is none."""
        return environment_in(self.file.read_bytes()) if self.file.exists() else {}

    def log_command(self, lines: int, *, follow: bool) -> tuple[str, ...]:
        """Return the command that shows the last lines of the log file."""
        home = Path(self.environment().get("CODEXIA_HOME", Path.home() / ".codexia"))
        return ("tail", "-n", str(lines), *(("-F",) if follow else ()), str(log_file_in(home)))

    def hints(self) -> tuple[str, ...]:
        """Return nothing: an agent runs while its user is logged in."""
        return ()

    def _domain(self) -> str:
        """Return the graphical session, or the background one of a login over ssh."""
        uid = os.getuid()
        for domain in (f"gui/{uid}", f"user/{uid}"):
            if ask("launchctl", "print", domain).returncode == 0:
                return domain
        raise DaemonError(f"launchd has no session of user {uid}; log in on this Mac once")

    def _target(self) -> str:
        return f"{self._domain()}/{LABEL}"

    def _loaded(self) -> str | None:
        """Return what launchd knows of the agent, None if it is not loaded."""
        done = ask("launchctl", "print", self._target())
        return done.stdout if done.returncode == 0 else None


def log_file_in(home: Path) -> Path:
    """Return where the output of the daemon goes."""
    return home / "logs" / "codexia.log"
