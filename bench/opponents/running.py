"""The opponents that are installed, and what one is when it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import orjson

from bench.cpu import descendants
from bench.dialects import DIALECTS
from bench.job import PROMPT
from bench.lane import Lane
from bench.opponents.opponent import Login, Opponent, Site
from bench.opponents.roster import OPPONENTS, installed
from bench.processes import Process, ProcessFailed, accepts, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.lane import DialectName
    from bench.processes import Simulator

DIRECTORY_VARIABLE = "CODEXIA_BENCH_OPPONENTS"

FORGIVEN = ["instructions", "originator", "user_agent"]
"""What some of them leave out, and the real backend lets pass for their users."""

START_DEADLINE_S = 120.0

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is none: what asks for versions or prices elsewhere is told at once."""


class RunningOpponent(Process):
    """An opponent, logged in to a simulator; ends with the context that it is entered in.

    Attributes:
        lanes: one for each dialect that it translates.
    """

    def __init__(self, name: str, opponent: Opponent, site: Site) -> None:
        """Start it and return when it serves.

        Raises:
            ProcessFailed: it did not start.
        """
        command = opponent.command(site)
        environment = {
            "HOME": str(site.home),
            "LANG": "C.UTF-8",
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1",
            **command.environment,
        }
        try:
            super().__init__(
                *command.arguments, environment=environment, folder=site.home, inherit=False
            )
        except FileNotFoundError as error:
            raise ProcessFailed(f"{error.filename} is not on the path") from error
        self.site = site
        self.wait_for(lambda: accepts(site.port), START_DEADLINE_S)
        try:
            opponent.after_start(site)
        except httpx.HTTPError as error:
            self.stop()
            raise ProcessFailed(f"{name} refused what it was told: {error}") from error
        pids = (self.pid, *descendants(self.pid))
        self.lanes = [
            Lane(
                name=f"{name} {dialect}",
                kind="opponent",
                url=site.url + path,
                dialect=dialect,
                headers={"user-agent": "bench/1", **opponent.headers},
                body=_body(dialect),
                carriers=pids,
                product=pids,
            )
            for dialect, path in opponent.paths.items()
        ]


@dataclass(frozen=True, slots=True)
class InstalledOpponent:
    """An opponent that can be started.

    Attributes:
        version: its own, with the runtime's: `1.40, python 3.11.7`.
        program: the folder that it is installed in.
    """

    name: str
    version: str
    program: Path

    def start(self, scratch: Path, simulator: Simulator) -> RunningOpponent:
        """Start it and return when it serves.

        Args:
            scratch: an empty folder, its HOME.
            simulator: its backend; lets pass from now on what some opponents leave out.

        Raises:
            ProcessFailed: it did not start.
        """
        url = f"{simulator.url}/simulator/forgive"
        httpx.post(url, json={"kinds": FORGIVEN}, trust_env=False).raise_for_status()
        login = Login.fresh(simulator.url)
        site = Site(self.program, scratch, free_port(), simulator.url, login)
        return RunningOpponent(self.name, OPPONENTS[self.name], site)


def find(
    directory: Path | None, names: Sequence[str] = ()
) -> tuple[list[InstalledOpponent], dict[str, str]]:
    """Return the installed opponents, and by name why others are left out.

    Args:
        directory: what `bench.install_opponents` installed to; None for the one that the
            environment names.
        names: only these; all if there are none.
    """
    if directory is None and (named := os.environ.get(DIRECTORY_VARIABLE)):
        directory = Path(named)
    found: list[InstalledOpponent] = []
    absent: dict[str, str] = {}
    for name in names or OPPONENTS:
        record = installed(directory, name) if directory and name in OPPONENTS else None
        if name not in OPPONENTS:
            absent[name] = f"no such opponent; there are {', '.join(OPPONENTS)}"
        elif directory is None or record is None:
            absent[name] = "not installed"
        else:
            version = f"{record.version}, {record.runtime}"
            found.append(InstalledOpponent(name, version, (directory / name).resolve()))
    return found, absent


def _body(dialect: DialectName) -> str:
    """Return the request, "" for that of the dialect: some read no `input` but a list."""
    if dialect != "responses":
        return ""
    item = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": PROMPT}],
    }
    body = DIALECTS[dialect].body(PROMPT) | {"input": [item]}
    return orjson.dumps(body).decode()
