"""Whether systemd stops us for good, or to start us again."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codexia_supervisor.child_environment import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("codexia.supervisor")

TIMEOUT_S: Final = 2.0
OWN_CGROUP = Path("/proc/self/cgroup")


async def restart_is_under_way(environ: Mapping[str, str], cgroup_file: Path | None = None) -> bool:
    """Return whether the manager's job for our unit is a restart.

    `systemctl restart` sends the same signal as `systemctl stop`; only its list of jobs tells
    them apart. Who cannot be asked is taken to mean a stop.

    Args:
        environ: of a process that the manager started.
        cgroup_file: names the unit; by default that of this process.
    """
    if "INVOCATION_ID" not in environ:
        return False
    unit, of_user = _own_unit(cgroup_file or OWN_CGROUP)
    if not unit:
        return False
    scope = ["--user"] if of_user else []
    jobs = await _output("systemctl", *scope, "list-jobs", "--no-legend", "--plain", unit)
    # Rows of: number, unit, type, state.
    rows = (line.split() for line in jobs.splitlines())
    return any(len(row) >= 3 and row[1] == unit and "restart" in row[2] for row in rows)


def _own_unit(cgroup_file: Path) -> tuple[str, bool]:
    """Return our unit, "" without one, and whether it is of a user's manager."""
    try:
        # The line of the unified hierarchy, or of systemd's own in the older one.
        lines = [line.split(":", 2) for line in cgroup_file.read_text().splitlines()]
    except OSError:
        return "", False
    path = next((path for _, kind, path in lines if kind in {"", "name=systemd"}), "")
    units = [part for part in path.split("/") if part.endswith(".service")]
    if not units or units[-1].startswith("user@"):
        return "", False
    return units[-1], any(part.startswith("user@") for part in units)


async def _output(*command: str) -> str:
    """Return what a command prints, "" if it fails or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=child_environment(),
        )
    except OSError as error:
        logger.warning("service manager not asked: %s", error)
        return ""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        logger.warning("service manager does not answer command=%s", command[0])
        return ""
    return output.decode(errors="replace")
