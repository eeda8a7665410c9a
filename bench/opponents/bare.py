"""The bare translator as something to be measured: a floor, and no opponent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.dialects import DIALECTS
from bench.lane import Lane
from bench.processes import Process

if TYPE_CHECKING:
    from pathlib import Path

    from bench.lane import DialectName
    from bench.processes import Simulator

TRANSLATED: tuple[DialectName, ...] = ("messages", "chat")


class RunningBareTranslator(Process):
    """`bench.bare_translator`, logged in to a simulator; ends with the context that it is entered in."""

    def __init__(self, auth_json: Path, simulator_url: str) -> None:
        super().__init__(
            *(sys.executable, "-m", "bench.bare_translator", simulator_url, str(auth_json))
        )
        url = self.announced_url()
        self.lanes = [
            Lane(
                name=f"bare {dialect}",
                kind="floor",
                url=url + DIALECTS[dialect].path,
                dialect=dialect,
                carriers=(self.pid,),
                product=(self.pid,),
            )
            for dialect in TRANSLATED
        ]


class BareTranslator:
    """Starts it."""

    name = "bare"
    version = ""

    def start(self, scratch: Path, simulator: Simulator) -> RunningBareTranslator:
        """Start it and return when it serves.

        Raises:
            ProcessFailed: it did not start.
        """
        auth_json = scratch / "auth.json"
        auth_json.write_bytes(simulator.credentials())
        return RunningBareTranslator(auth_json, simulator.url)
