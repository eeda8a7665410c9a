"""Which service manager this platform has."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from codexia.daemon.error import DaemonError

if TYPE_CHECKING:
    from codexia.daemon.service import ServiceManager


def service_manager() -> ServiceManager:
    """Return the service manager of this platform.

    Raises:
        DaemonError: there is none that we know; says what to do instead.
    """
    if sys.platform == "darwin":
        from codexia.daemon.launch_agent import LaunchAgent  # noqa: PLC0415 - one of two

        return LaunchAgent()
    if sys.platform == "linux" and shutil.which("systemctl"):
        from codexia.daemon.systemd_user import SystemdUser  # noqa: PLC0415 - one of two

        return SystemdUser()
    if sys.platform == "win32":
        raise DaemonError("there is no daemon on Windows; use WSL and run the Linux build there")
    raise DaemonError(
        "there is no systemd here; run `codexia serve` under whatever supervises services, e.g. as "
        "a container's main process with a restart policy"
    )
