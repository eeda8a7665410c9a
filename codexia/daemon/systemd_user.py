"""The user's systemd, by `systemctl --user`."""

from __future__ import annotations

import os
import pwd
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from codexia.daemon.error import DaemonError
from codexia.daemon.service import Activity, ServiceState, failure_of
from codexia.daemon.systemd import UNIT, environment_in, render_unit
from codexia.daemon.tools import ask, order
from codexia.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.daemon.program import Program

SYSTEMCTL: Final = ("systemctl", "--user")
PROPERTIES: Final = (
    "ActiveState",
    "UnitFileState",
    "MainPID",
    "MemoryCurrent",
    "ExecMainPID",
    "ExecMainCode",
    "ExecMainStatus",
)
CLD_EXITED: Final = 1


class SystemdUser:
    """A user unit of systemd."""

    name = "systemd"

    def __init__(self) -> None:
        configured = os.environ.get("XDG_CONFIG_HOME", "")
        # Relative ones are to be ignored: https://specifications.freedesktop.org/basedir-spec/
        config = Path(configured) if configured.startswith("/") else Path.home() / ".config"
        self.file = config / "systemd" / "user" / UNIT

    def check(self) -> None:
        """Return if the user's systemd answers.

        Raises:
            DaemonError: it does not; says why and what to do.
        """
        done = ask(*SYSTEMCTL, "show", "--property=Version")
        if done.returncode == 0:
            return
        if not Path("/run/systemd/system").is_dir():
            reason = (
                "this host was not booted with systemd (is it a container?); run `codexia serve` "
                "under whatever supervises here"
            )
        elif not os.environ.get("XDG_RUNTIME_DIR"):
            reason = (
                "this shell is not a login session, as after su or sudo; log in as "
                f"{_user()} (`machinectl shell {_user()}@` or ssh), or once "
                f"`sudo loginctl enable-linger {_user()}` and "
                f"`export XDG_RUNTIME_DIR=/run/user/{os.getuid()}`"
            )
        else:
            reason = f"log in anew, or once `sudo loginctl enable-linger {_user()}`"
        words = done.stderr.strip().splitlines()
        raise DaemonError(
            f"your systemd does not answer ({words[0] if words else 'no reason given'}): {reason}"
        )

    def install(self, program: Program) -> bool:
        """Write the unit and enable it; return whether the unit changed."""
        unit = render_unit(program).encode()
        changed = not self.file.exists() or self.file.read_bytes() != unit
        if changed:
            replace_file(self.file, unit)
            order(*SYSTEMCTL, "daemon-reload")
        order(*SYSTEMCTL, "--quiet", "enable", UNIT)
        return changed

    def uninstall(self) -> bool:
        """Disable the stopped unit and remove it; return whether there was one."""
        if not self.file.exists():
            return False
        order(*SYSTEMCTL, "--quiet", "disable", UNIT)
        self.file.unlink(missing_ok=True)
        order(*SYSTEMCTL, "daemon-reload")
        ask(*SYSTEMCTL, "--quiet", "reset-failed", UNIT)
        return True

    def start(self) -> None:
        """Ask for a start and return at once."""
        order(*SYSTEMCTL, "--no-block", "start", UNIT)

    def stop(self) -> None:
        """Stop the unit and return when it has."""
        order(*SYSTEMCTL, "stop", UNIT)

    def restart(self, *, rewritten: bool = False) -> None:  # noqa: ARG002 - `install` reloads
        """Ask for another run in place of this one and return at once."""
        order(*SYSTEMCTL, "--no-block", "restart", UNIT)

    def state(self) -> ServiceState:
        """Return how the unit is."""
        installed = self.file.exists()
        shown = order(*SYSTEMCTL, "show", f"--property={','.join(PROPERTIES)}", UNIT)
        value = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        pid = _number(value["MainPID"])
        return ServiceState(
            installed=installed,
            activity=cast("Activity", value["ActiveState"]),  # systemd has no others of services
            enabled=value["UnitFileState"] == "enabled",
            pid=pid,
            memory_bytes=_number(value["MemoryCurrent"]),
            run=_number(value["ExecMainPID"]) or 0,
            failure="" if pid else _failure(value),
        )

    def environment(self) -> Mapping[str, str]:
        """Return the environment that the unit gives; empty if there is none."""
        return environment_in(self.file.read_text()) if self.file.exists() else {}

    def log_command(self, lines: int, *, follow: bool) -> tuple[str, ...]:
        """Return the command that shows the last lines of the journal."""
        command = ("journalctl", "--user", f"--unit={UNIT}", f"--lines={lines}", "--no-pager")
        return (*command, "--follow") if follow else command

    def hints(self) -> tuple[str, ...]:
        """Return how to have it run without a login, where it would not."""
        try:
            lingers = ask("loginctl", "show-user", _user(), "--property=Linger", "--value")
        except DaemonError:
            return ()
        if lingers.stdout.strip() == "yes":
            return ()
        return (
            f"it stops when you log out; `sudo loginctl enable-linger {_user()}` keeps it running",
        )


def _failure(value: Mapping[str, str]) -> str:
    status = _number(value["ExecMainStatus"]) or 0
    match _number(value["ExecMainCode"]):
        case None:
            return ""
        case code if code == CLD_EXITED:
            return failure_of(status)
        case _ if status == signal.SIGTERM:
            return ""
        case _:
            return f"killed by signal {status}"


def _number(text: str) -> int | None:
    """Return a positive number, None for what systemd says instead of one."""
    # Without accounting it says "[not set]", or the largest number.
    return int(text) if text.isdecimal() and 0 < int(text) < 2**64 - 1 else None


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
