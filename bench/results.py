"""What a run leaves behind: samples as they were taken, and what is needed to judge them."""

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
from typing import TYPE_CHECKING

import orjson
from pydantic import BaseModel

from bench.processes import nginx_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.rig import Sample
    from bench.scenario import Scenario

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
        module = Path(sys.argv[0]).stem
        return cls(
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            command=shlex.join(["python", "-m", f"bench.{module}", *sys.argv[1:]]),
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


def save(
    path: Path,
    circumstances: Circumstances,
    scenarios: Sequence[Scenario],
    samples: Sequence[Sample],
) -> None:
    """Write a run as JSON."""
    content = {
        "circumstances": circumstances.model_dump(),
        "scenarios": [scenario.model_dump() for scenario in scenarios],
        "samples": [sample.model_dump() for sample in samples],
    }
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))


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
