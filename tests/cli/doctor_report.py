"""`codexia doctor` run about one home, and its report."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import orjson

from tests.cli.command import codexia

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Doctor:
    """`codexia doctor` about one home."""

    def __init__(self, home: Path, simulator: Simulator, port: str) -> None:
        self.home = home
        self.environment = {
            "CODEXIA_HOME": str(home),
            "CODEXIA_BIND_PORT": port,
            "CODEXIA_UPSTREAM_BASE_URL": f"{simulator.url}/backend-api",
            "CODEXIA_OAUTH_ISSUER": simulator.url,
        }

    def report(self, **environment: str) -> list[dict[str, str]]:
        done = codexia("doctor", "--json", **{**self.environment, **environment})
        assert done.stderr == ""
        report = orjson.loads(done.stdout)
        broken = any(each["state"] == "broken" for each in report["findings"])
        assert done.returncode == int(broken)
        assert (report["state"] == "broken") == broken
        return report["findings"]

    def finding(self, name: str, **environment: str) -> tuple[str, str, str]:
        """The one finding of that name: state, what was found, advice."""
        [found] = [each for each in self.report(**environment) if each["name"] == name]
        return found["state"], found["found"], found["advice"]

    def states(self, **environment: str) -> dict[str, str]:
        return {each["name"]: each["state"] for each in self.report(**environment)}
