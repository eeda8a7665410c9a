"""A real `systemd --user` of its own: nothing of the host's is seen or changed.

It needs root, for a mount namespace in which the host looks booted with systemd, and a cgroup of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CGROUPS = Path("/sys/fs/cgroup")
HIERARCHIES = [
    path
    for path in (CGROUPS / "unified", CGROUPS / "systemd", CGROUPS)
    if (path / "cgroup.procs").exists()
]
"""Those that systemd may keep its units in: of a mixed setup both, else the only one."""

PROGRAMS = [Path("/usr/lib/systemd/systemd"), Path("/lib/systemd/systemd")]

LAUNCHER = """
import os, sys
program, *cgroups = sys.argv[1:]
for cgroup in cgroups:
    with open(cgroup + "/cgroup.procs", "w") as procs:
        procs.write(str(os.getpid()))
script = (
    "mount -t tmpfs none /run && mkdir -p /run/systemd/system && "
    "exec \\"$0\\" --user --log-target=console --log-level=info"
)
os.execvp("unshare", ["unshare", "--mount", "sh", "-c", script, program])
"""


def missing() -> str:
    """Return why none can run here, "" if one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux"
    if not any(path.exists() for path in PROGRAMS) or not shutil.which("systemctl"):
        return "systemd is not installed"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        return "mount namespaces are not to be had"
    if not HIERARCHIES or not all(os.access(path, os.W_OK) for path in HIERARCHIES):
        return "cgroups are not writable"
    return ""


@contextmanager
def running_user_manager() -> Iterator[dict[str, str]]:
    """Give the environment in which `systemctl --user` reaches it, for as long as it runs."""
    program = next(path for path in PROGRAMS if path.exists())
    with tempfile.TemporaryDirectory(prefix="codexia-user-") as scratch:
        name = Path(scratch).name
        # A unit is told from its cgroup to be a user's, and that of a user manager is called so.
        own = [path / name / "user@0.service" for path in HIERARCHIES]
        for cgroup in own:
            cgroup.mkdir(parents=True)
        environment = {"XDG_RUNTIME_DIR": f"{scratch}/run", "HOME": f"{scratch}/home"}
        for directory in environment.values():
            Path(directory).mkdir(mode=0o700)
        with Path(scratch, "log").open("wb") as log:
            manager = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, str(program), *map(str, own)],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(lambda: _answers(environment), "systemd --user answers")
            yield environment
        finally:
            manager.terminate()
            manager.wait(20)
            for cgroup in (*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")):
                _remove(cgroup)


def _answers(environment: dict[str, str]) -> bool:
    command = ["systemctl", "--user", "show", "--property=Version"]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, check=False
    )
    return done.returncode == 0


def _remove(cgroup: Path) -> None:
    """Remove a cgroup and those within; each has to be empty."""
    for directory, _, _ in os.walk(cgroup, topdown=False):
        wait_until(lambda path=Path(directory): _removed(path), f"{directory} is empty")


def _removed(cgroup: Path) -> bool:
    try:
        cgroup.rmdir()
    except OSError:
        return False
    return True
