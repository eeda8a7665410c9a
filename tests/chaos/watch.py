"""What must hold at every moment, looked at again and again."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import orjson

from codexia.oauth.credentials import CredentialsUnreadable, read_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.chaos.fleet import Fleet
    from tests.chaos.ledger import Ledger
    from tests.e2e.processes import Simulator
    from tests.e2e.service import Service

SENT_TO_SAVED_S = 1.0
"""Longest that a token which was sent waits for its answer to be saved, on a busy machine."""

MOST_RSS_MB = {"supervisor": 220.0, "main": 150.0, "worker": 250.0}
MOST_DESCRIPTORS = 300
MOST_PROCESSES = 60
STALE_S = 10.0
"""How long after a login a supervisor that was stopped may speak of the lost one."""


class Watch:
    """Looks at status, snapshots, login and processes.

    Attributes:
        lost: set when a login is lost as the one documented exception has it.
    """

    def __init__(
        self, service: Service, simulator: Simulator, fleet: Fleet, ledger: Ledger
    ) -> None:
        self.lost = asyncio.Event()
        self._service = service
        self._simulator = simulator
        self._fleet = fleet
        self._ledger = ledger
        self._judged = 0
        self._excused_until = 0.0
        self._revisions: dict[str, int] = {}

    async def run(self, moved: Callable[[str], None]) -> None:
        """Look until cancelled.

        Args:
            moved: called with the address that is served.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(0.3, lambda: self._look_at_status(moved)))
            group.create_task(self._every(0.1, self._look_at_login))
            group.create_task(self._every(1.0, self._look_at_reuses))
            group.create_task(self._every(2.0, self._look_at_processes))
            group.create_task(self._every(0.3, self._follow_snapshots))

    async def _every(self, pause_s: float, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            await look()
            await asyncio.sleep(pause_s)

    async def _look_at_status(self, moved: Callable[[str], None]) -> None:
        status = await asyncio.to_thread(self._service.status)
        if status is None:
            self._ledger.note("status: no answer")
            return
        self._ledger.note("status: answered")
        self._grows("status", status.revision, status.pid)
        self._ledger.saw("generations", len(status.generations))
        if status.generations:
            moved(f"http://{status.bind}")
        for problem in status.problems:
            self._ledger.note(f"problem: {problem[:90]}")
            if "codexia login" in problem and not self._excused:
                await self._look_at_reuses()
                if not self._excused:
                    self._ledger.violated("a login lost", problem=problem)

    async def _follow_snapshots(self) -> None:
        socket = str(self._service.home.control_socket)
        with suppress(aiohttp.ClientError, OSError, ValueError):
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(socket), read_bufsize=2**22
                ) as http,
                # Of no generation, so that it does not pass for a worker.
                http.get("http://supervisor/watch?generation=0", timeout=None) as reply,
            ):
                async for line in reply.content:
                    snapshot = orjson.loads(line)
                    self._ledger.note("snapshot")
                    self._grows("/watch", snapshot["revision"], 0)

    def _grows(self, where: str, revision: int, pid: int) -> None:
        before = self._revisions.get(where, 0)
        if revision < before:
            self._ledger.violated("a revision went back", where=where, of=(before, revision, pid))
        self._revisions[where] = revision

    async def _look_at_login(self) -> None:
        try:
            found = await asyncio.to_thread(read_credentials, self._service.home.auth_file)
        except CredentialsUnreadable as error:
            self._ledger.violated("auth.json makes no login", error=error)
            return
        if found is None or not found.refresh_token:
            self._ledger.violated("auth.json has no login", found=found)

    async def _look_at_reuses(self) -> None:
        """A token was sent twice: its sender must have been killed before it saved the answer."""
        reuses = await asyncio.to_thread(
            lambda: self._simulator.http.get("/simulator/reuses").json()
        )
        for reuse in reuses[self._judged :]:
            self._judged += 1
            used_at = reuse["used_at"]
            span = used_at - 0.05, used_at + SENT_TO_SAVED_S
            killed = self._ledger.struck_between(*span, {"supervisor", "command"})
            kills = [each for each in killed if each.signal == "kill"]
            if not kills:
                self._ledger.violated("a refresh token sent twice", reuse=reuse, near=killed)
                continue
            self._ledger.note("refresh token sent again after a kill before its answer was saved")
            self._ledger.saw("s from a token sent to its sender's kill", kills[0].at - used_at)
            self.lost.set()

    def found_again(self) -> None:
        """Forget an explained loss, since somebody logged in."""
        self.lost.clear()
        self._excused_until = time.monotonic() + STALE_S

    @property
    def _excused(self) -> bool:
        return self.lost.is_set() or time.monotonic() < self._excused_until

    async def _look_at_processes(self) -> None:
        members = await asyncio.to_thread(self._fleet.members)
        self._ledger.saw("processes", len(members))
        if len(members) > MOST_PROCESSES:
            self._ledger.violated("processes pile up", members=members)
        for each in members:
            rss_mb, descriptors = each.rss_mb, each.descriptors
            self._ledger.saw(f"{each.role} MB", round(rss_mb))
            self._ledger.saw(f"{each.role} descriptors", descriptors)
            if rss_mb > MOST_RSS_MB.get(each.role, 1000):
                self._ledger.violated("memory out of bounds", who=each, rss_mb=rss_mb)
            if descriptors > MOST_DESCRIPTORS:
                self._ledger.violated("descriptors out of bounds", who=each, count=descriptors)
