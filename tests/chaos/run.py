"""One run: a gateway under traffic, the deeds of a plan, and what must hold at the end."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tests.chaos.batch_clients import BatchClients
from tests.chaos.clients import CANARY, KEY, Clients
from tests.chaos.fleet import Fleet
from tests.chaos.ledger import Ledger
from tests.chaos.operator import OWN, Operator
from tests.chaos.plan import LONGEST_STOP_S, Deed, plan
from tests.chaos.watch import Watch
from tests.e2e.operations import free_ports
from tests.e2e.processes import log_in, running_simulator
from tests.e2e.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from tests.e2e.processes import Simulator

TOKEN_LIFETIME_S = 12
STREAMS, PROGRAMS = 10, 2
PROGRESS_EVERY_S = 60.0
MADE_UP_EVERY_S = 1.0
SETTLED_WITHIN_S = 40.0
BATCHES_WITHIN_S = 300.0
STOPPED_WITHIN_S = 60.0
LEFT_IN_RUN = {"supervisor.lock"}
SECRETS = re.compile(
    rb"rt_[\w-]{20}|ac_[\w-]{20}|eyJ[\w-]{10,}\.eyJ|" + KEY.encode() + b"|" + CANARY.encode()
)
_LAST_LINE = re.compile(r"Traceback \(most recent call last\).*?\n(?=\S)([^\n]*)", re.DOTALL)


@dataclass(frozen=True)
class Run:
    """How long and how hard."""

    seconds: float
    kills: int
    seed: int = 0


async def run(wanted: Run, directory: Path, say: Callable[[str], None]) -> Ledger:
    """Return what happened; the gateway's home and log stay in `directory`.

    Args:
        wanted: what to do.
        directory: for everything that is written.
        say: called with a line of progress now and then.
    """
    ledger = Ledger()
    with running_simulator() as simulator:
        chaos = Chaos(wanted, directory, simulator, ledger)
        await chaos.run(say)
    return ledger


class Chaos:
    """The gateway, everyone who uses it, and who breaks it."""

    def __init__(self, wanted: Run, directory: Path, simulator: Simulator, ledger: Ledger) -> None:
        self._wanted = wanted
        self._simulator = simulator
        self._ledger = ledger
        home = directory / "home"
        lifetime = {"token_lifetime_s": TOKEN_LIFETIME_S}
        simulator.http.post("/simulator/authority", json=lifetime).raise_for_status()
        log_in(home, simulator, TOKEN_LIFETIME_S)
        ports = free_ports(2)
        self._service = Service(
            home, simulator, bind_port=ports[0], workers=2, api_keys=[OWN], log_level="info"
        )
        self._fleet = Fleet(home, self._supervisor, ledger)
        self._operator = Operator(self._service, simulator, ledger, ports)
        self._watch = Watch(self._service, simulator, self._fleet, ledger)
        self._clients = Clients(ledger, wanted.seed)
        self._missed: list[str] = []
        self._clients.url = f"http://127.0.0.1:{ports[0]}"
        self._batches = BatchClients(ledger, lambda: self._clients.url)

    async def run(self, say: Callable[[str], None]) -> None:
        """Do it all."""
        try:
            with self._service:
                async with self._watched(say):
                    async with asyncio.TaskGroup() as using:
                        using.create_task(self._clients.run(STREAMS, PROGRAMS))
                        await self._break()
                        self._clients.over.set()
                    await self._settle()
                await self._stop()
        finally:
            self._fleet.end()
        self._read_outputs()

    def _supervisor(self) -> int:
        return self._service.pid

    @asynccontextmanager
    async def _watched(self, say: Callable[[str], None]) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = (
                group.create_task(self._watch.run(self._moved)),
                group.create_task(self._log_in_again()),
                group.create_task(self._look_after_batches()),
                group.create_task(self._tell(say)),
            )
            yield
            for task in tasks:
                task.cancel()

    def _moved(self, url: str) -> None:
        self._clients.url = url

    async def _break(self) -> None:
        """Carry out the plan, and the kills that came when there was nobody to kill."""
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            making_up = group.create_task(self._make_up(group))
            for deed in plan(self._wanted.seed, self._wanted.seconds, self._wanted.kills):
                await asyncio.sleep(max(0.0, started + deed.at_s - time.monotonic()))
                group.create_task(self._do(deed))
            while self._ledger.kills < self._wanted.kills:
                await asyncio.sleep(0.1)
                if not self._missed:
                    self._missed.append("worker")
            making_up.cancel()

    async def _make_up(self, group: asyncio.TaskGroup) -> None:
        """Kill whom the plan missed, with pauses: whoever is killed at its start serves nobody."""
        while True:
            await asyncio.sleep(MADE_UP_EVERY_S)
            roles = Counter(each.role for each in self._fleet.members())
            missed = next((each for each in self._missed if roles["worker"] > 1), None)
            if missed is not None:
                self._missed.remove(missed)
                group.create_task(self._do(Deed(0, "kill", missed, time.monotonic() % 1)))

    async def _do(self, deed: Deed) -> None:
        match deed.kind, deed.target:
            case "kill", "command":
                await self._operator.kill_command(deed.chance)
            case "kill", "intake":
                await self._kill_intake()
            case (("kill" | "terminate"), role):
                self._fleet.strike(deed.kind, role, deed.chance)
            case "stop", role:
                await self._fleet.stop(role, deed.chance, deed.chance * LONGEST_STOP_S)
            case "batch", dialect:
                await self._batches.create(dialect, large=False)
            case _:
                await self._operator.operate(deed.kind, deed.target)

    async def _kill_intake(self) -> None:
        async with asyncio.TaskGroup() as group:
            creating = group.create_task(self._batches.create("messages", large=True))
            while not creating.done():
                if await self._fleet.kill_intake(within_s=1.0):
                    return

    async def _log_in_again(self) -> None:
        while True:
            await self._watch.lost.wait()
            if await self._operator.log_in("device"):
                self._watch.found_again()

    async def _look_after_batches(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._batches.look()

    async def _tell(self, say: Callable[[str], None]) -> None:
        started = time.monotonic()
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            say(f"{(time.monotonic() - started) / 60:.0f} min: {headline(self._ledger)}")

    async def _settle(self) -> None:
        """Let everything come to rest, and look whether it did."""
        self._operator.settle()
        await self._in_time("the settings in force", SETTLED_WITHIN_S, self._is_settled)
        await self._in_time("every batch done", BATCHES_WITHIN_S, self._batches_done)
        await self._in_time("one generation left", SETTLED_WITHIN_S, self._is_alone)
        if not await self._operator.refresh():
            self._ledger.violated("the login is of no use", said=self._operator.outputs[-1])
        stats = self._simulator.stats
        if stats["open_streams"]:
            self._ledger.violated("streams left open", count=stats["open_streams"])
        if stats["violation_count"]:
            self._ledger.violated("the backend asked wrongly", kinds=stats["violations"][:5])
        for name in ("refreshes", "refresh_token_reuse", "responses_started", "disconnects"):
            self._ledger.counts[f"simulator {name}"] = stats[name]
        for each in self._fleet.members():
            self._ledger.saw(f"{each.role} descriptors at rest", each.descriptors)
            self._ledger.saw(f"{each.role} MB at rest", round(each.rss_mb))

    def _is_settled(self) -> bool:
        status = self._service.status()
        return bool(
            status and status.settled and status.logged_in and status.generations[-1].workers == 2
        )

    async def _batches_done(self) -> bool:
        return not self._batches.unfinished

    def _is_alone(self) -> bool:
        roles = Counter(each.role for each in self._fleet.members())
        return roles == {"supervisor": 1, "main": 1, "worker": 2}

    async def _stop(self) -> None:
        """End the service in order: nothing may be left of it."""
        await asyncio.to_thread(self._service.stop, STOPPED_WITHIN_S)
        await self._in_time("no process left", 10, lambda: not self._fleet.members())
        left = {path.name for path in self._service.home.run.iterdir()} - LEFT_IN_RUN
        if left:
            self._ledger.violated("files left in run", names=sorted(left))
        drafts = [path.name for path in self._service.home.root.glob(".*")]
        if drafts:
            self._ledger.violated("drafts left in the home", names=drafts)

    async def _in_time(self, what: str, within_s: float, holds: Callable[[], Any]) -> None:
        deadline = time.monotonic() + within_s
        while True:
            held = holds()
            if asyncio.iscoroutine(held):
                held = await held
            if held:
                return
            if time.monotonic() > deadline:
                self._ledger.violated(
                    f"not in time: {what}",
                    members=[str(each) for each in self._fleet.members()],
                    status=self._service.status(),
                    batches=self._batches.unfinished,
                )
                return
            await asyncio.sleep(0.2)

    def _read_outputs(self) -> None:
        """Look for secrets in all that was written, and for what nobody expected."""
        log = self._service.log().encode()
        for content in (log, *self._operator.outputs):
            if secret := SECRETS.search(content):
                start = max(0, secret.start() - 200)
                self._ledger.violated("a secret in an output", near=content[start : secret.end()])
        for last, count in Counter(_LAST_LINE.findall(log.decode(errors="replace"))).items():
            self._ledger.violated("an error that nobody expected", last_line=last, count=count)


def headline(ledger: Ledger) -> str:
    """Return the counts that matter, in a line."""
    counts = ledger.counts
    words = ("ended: clean", "ended: error", "broken off", "not connected", "refused")
    streams = {
        word: sum(
            n
            for what, n in counts.items()
            if word in what and what.startswith(("chat ", "messages ", "responses "))
        )
        for word in words
    }
    told = ", ".join(f"{word} {count}" for word, count in streams.items())
    checked = counts["batch messages checked"] + counts["batch openai checked"]
    return f"{ledger.kills} kills; {told}; batches {checked}; broken {len(ledger.broken)}"


def summary(wanted: Run, ledger: Ledger) -> dict[str, Any]:
    """Return everything about a run, ready for JSON."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "run": asdict(wanted),
        "commit": commit,
        "headline": headline(ledger),
        "broken": ledger.broken,
        "counts": dict(sorted(ledger.counts.items())),
        "most": dict(sorted(ledger.most.items())),
    }
