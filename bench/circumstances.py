"""Where, when and with what a run was made."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel

from bench.processes import nginx_version

PACKAGES = ("codexia-gateway", "granian", "starlette", "aiohttp", "uvloop", "orjson")


class Circumstances(BaseModel):
    """Where, when and with what a run was made.

    Attributes:
        load_average: of the last minute, when the run began; what else the machine had to do.
    """

    started_at: str
    command: str
    commit: str
    machine: str
    cores: int
    system: str
    load_average: float
    versions: dict[str, str]

    @classmethod
    def now(cls) -> Circumstances:
        """Return those of this process."""
        stem = Path(sys.argv[0]).stem
        module = "bench" if stem == "__main__" else f"bench.{stem}"
        return cls(
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            command=shlex.join(["python", "-m", module, *map(_without_folder, sys.argv[1:])]),
            commit=_git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "-s") else ""),
            machine=_cpu_model(),
            cores=os.cpu_count() or 0,
            system=f"{platform.system()} {platform.release()}",
            load_average=round(os.getloadavg()[0], 2),
            versions={
                "python": platform.python_version(),
                "nginx": nginx_version() or "not installed",
                **{package: version(package) for package in PACKAGES},
            },
        )

    def lines(self) -> str:
        """Return all of it as text."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.command}\n{self.started_at}, commit {self.commit}, {self.machine}, "
            f"{self.cores} cores, {self.system}, load average {self.load_average}\n{versions}"
        )


def _without_folder(argument: str) -> str:
    """Return a path of this machine without what only it has."""
    return Path(argument).name if argument.startswith("/") else argument


def _git(*arguments: str) -> str:
    if shutil.which("git") is None:
        return ""
    here = Path(__file__).parent
    told = subprocess.run(
        ["git", *arguments], cwd=here, capture_output=True, text=True, check=False
    )
    return told.stdout.strip()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
