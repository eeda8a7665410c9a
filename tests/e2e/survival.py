"""A batch that has to come through whatever is killed: the rig of the test and of the benchmark."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anthropic
import httpx

from tests.e2e.batches import messages_request
from tests.e2e.processes import Gateway, log_in, running_simulator, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator

PROMPT = "STREAM[[deltas=20 gap_ms=10]]"
POLL_S = 0.2


@dataclass
class Survival:
    """How it went.

    Attributes:
        executed: streams that the backend began.
        kills: what was killed, how often.
        in_flight: items that may have run at each kill, summed up.
    """

    items: int
    concurrency: int
    executed: int = 0
    kills: Counter[str] = field(default_factory=Counter[str])
    results: Counter[str] = field(default_factory=Counter[str])
    states: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0

    @property
    def in_flight(self) -> int:
        """Most items that can have run at the moments of the kills."""
        return self.kills.total() * self.concurrency

    @property
    def again(self) -> int:
        """Items that were executed more often than once."""
        return self.executed - self.items

    def check(self) -> None:
        """Every item has one result, a success, and only what ran at a kill ran again."""
        assert self.results == Counter({f"id-{n}": 1 for n in range(self.items)})
        assert self.states == {"succeeded": self.items}
        assert 0 <= self.again <= self.in_flight


def survive(home: Path, items: int, kills: int, every_s: float, concurrency: int = 8) -> Survival:
    """Run a batch of items while workers and supervisor are killed; return how it went.

    Args:
        home: of the gateway.
        items: in the batch.
        kills: how many processes are killed, as long as the batch runs; 0 is no limit.
        every_s: pause between two kills.
        concurrency: items that run at once.
    """
    survival = Survival(items, concurrency)
    chance = random.Random(items)
    with running_simulator() as simulator:
        log_in(home, simulator)
        gateway = _serve(home, simulator, concurrency)
        try:
            batch_id = _created(gateway, items)
            started = time.monotonic()
            kill_at = started + every_s
            while not _ended(gateway, batch_id):
                if time.monotonic() < kill_at or survival.kills.total() == (kills or -1):
                    time.sleep(POLL_S)
                    continue
                if chance.random() < 0.5:
                    survival.kills["worker"] += 1
                    os.kill(chance.choice(gateway.worker_pids()), signal.SIGKILL)
                else:
                    survival.kills["supervisor"] += 1
                    gateway.stop(signal.SIGKILL)
                    gateway = _serve(home, simulator, concurrency)
                kill_at = time.monotonic() + every_s
            survival.seconds = time.monotonic() - started
            with _client(gateway) as client:
                for line in client.messages.batches.results(batch_id):
                    survival.results[line.custom_id] += 1
                    survival.states[line.result.type] += 1
            survival.executed = simulator.stats["responses_started"]
        finally:
            gateway.stop(signal.SIGINT)
    return survival


def _serve(home: Path, simulator: Simulator, concurrency: int) -> Gateway:
    gateway = Gateway(home, simulator, "--workers", "2", CODEXIA_BATCH_CONCURRENCY=str(concurrency))
    wait_until(lambda: len(gateway.worker_pids()) == 2, "two workers serve")
    return gateway


def _client(gateway: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key="local", max_retries=5, timeout=60)


def _created(gateway: Gateway, items: int) -> str:
    with _client(gateway) as client:
        requests = [messages_request(f"id-{n}", PROMPT) for n in range(items)]
        return client.messages.batches.create(requests=requests).id


def _ended(gateway: Gateway, batch_id: str) -> bool:
    url = f"{gateway.url}/v1/messages/batches/{batch_id}"
    try:
        reply = httpx.get(url, timeout=5)
    except httpx.TransportError:
        return False  # the worker that had the connection was killed
    return reply.is_success and reply.json()["processing_status"] == "ended"
