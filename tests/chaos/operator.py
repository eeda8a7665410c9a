"""What people do to a gateway that runs: edits, logins, refreshes, restarts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from codexia.errors import CodexiaError
from tests.chaos.clients import KEY
from tests.cli.codex_files import write_codex_login

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.ledger import Ledger
    from tests.e2e.processes import Simulator
    from tests.e2e.service import Service

OWN = {"name": "chaos", "key": KEY}
EDITS: tuple[dict[str, Any] | bytes, ...] = (
    {"ping_interval_s": 3},
    {"workers": 1},
    {"api_keys": [OWN, {"name": "guest", "key": "key-of-a-guest", "concurrency": 2}]},
    {"workers": 3},
    {"model_aliases": {"fast": "gpt-5.5"}},
    {"workers": 2},
    {"max_upstream_streams": 20},
    {"api_keys": [OWN]},
    b'{"workers": ',
    {"bind_port": 0},
    {"ping_interval_s": -1},
    {"ping_interval_s": 10},
    {"batch_concurrency": 6},
    b"",
    {"model_aliases": None, "max_upstream_streams": 256},
)
"""Bytes are no settings at all; a port of 0 stands for the other of the two ports."""

MENDED_AFTER_S = 1.0
COMMAND_TIMEOUT_S = 90.0
COMMAND_LASTS_S = 1.2
COMMAND_IS_REFRESH = 0.6
"""Share of the killed commands; the others are logins, which take longer."""
_USER_CODE = re.compile(rb"\b[0-9A-F]{4}-[0-9A-F]{4}\b")


class Operator:
    """Uses the commands, and the file of the settings."""

    def __init__(
        self, service: Service, simulator: Simulator, ledger: Ledger, ports: list[int]
    ) -> None:
        self.outputs: list[bytes] = []
        """What commands said; no secret may be in it."""

        self._service = service
        self._simulator = simulator
        self._ledger = ledger
        self._ports = ports
        self._edits = 0

    async def operate(self, kind: str, target: str) -> None:
        """Do what a deed of the plan says."""
        match kind:
            case "hand-over":
                await self.hand_over()
            case "edit":
                await self.edit()
            case "refresh":
                await self.refresh()
            case _:
                await self.log_in(target)

    async def kill_command(self, chance: float) -> None:
        """Begin a refresh or a login, and kill it on its way."""
        killed_after_s = max(0.01, chance * COMMAND_LASTS_S)
        if chance < COMMAND_IS_REFRESH:
            await self.refresh(killed_after_s=killed_after_s)
        else:
            await self.log_in("device", killed_after_s=killed_after_s)

    async def edit(self) -> None:
        """Make the next edit; what cannot hold is mended later."""
        changes = EDITS[self._edits % len(EDITS)]
        self._edits += 1
        self._ledger.note("edit")
        if isinstance(changes, bytes):
            self._service.save(changes)
            await asyncio.sleep(MENDED_AFTER_S)
            changes = {}
        elif "bind_port" in changes:
            self._ports.reverse()
            changes = {"bind_port": self._ports[0]}
        self._service.configure(**changes)

    def settle(self) -> None:
        """Go back to settings that hold."""
        self._service.configure(workers=2, ping_interval_s=10)

    async def hand_over(self) -> None:
        """Restart without a pause."""
        self._ledger.note("hand-over")
        # It may be killed already, or stopped.
        with suppress(CodexiaError, OSError):
            await asyncio.to_thread(self._service.restart)

    async def refresh(self, *, killed_after_s: float | None = None) -> bool:
        """Run `codexia refresh`; return whether it went well."""
        return await self._command("refresh", killed_after_s=killed_after_s)

    async def log_in(self, how: str, *, killed_after_s: float | None = None) -> bool:
        """Run `codexia login`; return whether it went well."""
        if how == "device":
            return await self._command("login", "--device", killed_after_s=killed_after_s)
        codex = self._service.home.root.with_name("codex")
        await asyncio.to_thread(write_codex_login, codex, self._simulator)
        flags = ("login", "--from-codex", "--yes")
        return await self._command(*flags, killed_after_s=killed_after_s, codex=codex)

    async def _command(
        self, *arguments: str, killed_after_s: float | None = None, codex: Path | None = None
    ) -> bool:
        environment = {
            **os.environ,
            "CODEXIA_HOME": str(self._service.home.root),
            "CODEXIA_OAUTH_ISSUER": self._simulator.url,
            "CODEX_HOME": str(codex or ""),
            "DISPLAY": "",
            "WAYLAND_DISPLAY": "",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "codexia", *arguments),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout
        said = b""
        what = " ".join(arguments[:2])
        try:
            async with asyncio.timeout(killed_after_s or COMMAND_TIMEOUT_S):
                while chunk := await process.stdout.read(4096):
                    said += chunk
                    if code := _USER_CODE.search(said):
                        await asyncio.to_thread(self._approve, code[0].decode())
                await process.wait()
        except TimeoutError:
            if killed_after_s is None:
                self._ledger.violated("a command hung", command=what, said=said)
            self._ledger.strike("kill", "command", process.pid)
            process.kill()
            await process.wait()
        self.outputs.append(said)
        if process.returncode == -signal.SIGKILL:
            return False
        last = said.decode().strip().rpartition("\n")[2][:160]
        self._ledger.note(
            f"codexia {what}: " + ("done" if process.returncode == 0 else _without_numbers(last))
        )
        return process.returncode == 0

    def _approve(self, user_code: str) -> None:
        self._simulator.http.post("/codex/device", json={"user_code": user_code})


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+", "N", text)
