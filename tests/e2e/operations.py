"""Everything that an operator does to a daemon that serves: edits, restarts, a killed supervisor."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.e2e.processes import wait_until
from tests.e2e.traffic import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.service import Service
    from tests.e2e.traffic import Traffic

FLEET = {"name": "fleet", "key": KEY}

EDITS: tuple[dict[str, Any], ...] = (
    {"ping_interval_s": 3},
    {"api_keys": [FLEET, {"name": "guest", "key": "key-of-a-guest"}]},
    {"model_aliases": {"fast": "gpt-5.5"}},
    {"upstream_idle_timeout_s": 120},
    {"api_keys": [{"name": "guest", "key": "key-of-a-guest"}, FLEET]},
    {"log_level": "info"},
    {"allowed_hosts": ["codexia.test"]},
    {"api_key": KEY, "api_keys": None},
    {"allowed_origins": ["https://example.test"]},
    {"response_store_max_mb": 64},
    {"api_key": None, "api_keys": [FLEET]},
    {"model_fallback": "gpt-5.5"},
    {"model_aliases": None},
    {"ping_interval_s": 10},
    {"allowed_hosts": None, "allowed_origins": None, "log_level": "warning"},
)
"""Edits that need no new generation; the fleet's key holds all the time."""


@dataclass
class Operator:
    """Operates on a service under traffic.

    Attributes:
        edits: made so far.
        back_after_s: how long each killed supervisor was missing.
    """

    service: Service
    traffic: Traffic
    edits: int = 0
    back_after_s: list[float] = field(default_factory=list)

    async def edit(self, **changes: Any) -> None:
        """Change settings that hold without a new generation."""
        before = await self._status()
        self.service.configure(**changes)
        self.edits += 1
        if self.edits > len(EDITS):
            return  # what was set already makes no new revision
        await self._until(lambda: self._revision() > before.revision, f"{changes} in force")

    async def break_and_mend(self) -> None:
        """Save something that is no JSON, then what was there before."""
        self.service.save(b'{"workers": ')
        await self._until(self._problems, "the file is a problem")
        self.service.configure()
        await self._until(lambda: not self._problems(), "the file is right again")
        self.edits += 2

    async def set_workers(self, workers: int) -> None:
        """Change the number of workers."""
        before = await self._status()
        self.service.configure(workers=workers)
        self.edits += 1
        newer = before.generations[-1].generation + 1
        await self._until(
            lambda: self.service.serves(workers=workers, generation=newer), f"{workers} workers"
        )

    async def set_port(self, port: int) -> None:
        """Move to another port; from then on the traffic goes there."""
        self.service.configure(bind_port=port)
        self.edits += 1
        self.traffic.url = await self._until(lambda: self.service.serves(port=port), "new port")

    async def restart(self) -> None:
        """Restart, and wait until the workers are new."""
        before = await self._status()
        await asyncio.to_thread(self.service.restart)
        newer = before.generations[-1].generation + 1
        await self._until(
            lambda: self.service.serves(pid=before.pid, generation=newer),
            "renewed by the successor",
        )

    async def kill(self) -> None:
        """Kill the supervisor, and wait until the next one has its workers."""
        before = await self._status()
        started = time.monotonic()
        self.service.kill()
        await self._until(lambda: self.service.serves(pid=before.pid), "back after the kill")
        self.back_after_s.append(time.monotonic() - started)
        after = await self._status()
        assert before.generations[-1].pid in {each.pid for each in after.generations}

    async def settled(self) -> None:
        """Return once all older generations are gone."""
        await self._until(lambda: len(self._generations()) == 1, "one generation left", 60)

    async def _status(self) -> Any:
        return await self._until(self.service.status, "status")

    def _revision(self) -> int:
        status = self.service.status()
        return status.revision if status else 0

    def _problems(self) -> tuple[str, ...]:
        status = self.service.status()
        return status.problems if status else ()

    def _generations(self) -> tuple[Any, ...]:
        status = self.service.status()
        return status.generations if status else ()

    async def _until(self, condition: Callable[[], Any], what: str, deadline_s: float = 30) -> Any:
        return await asyncio.to_thread(partial(wait_until, condition, what, deadline_s))


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has right now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
