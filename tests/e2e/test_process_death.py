"""Whatever process dies, the streams of the others are whole and service goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import Gateway, children, log_in, running_gateway, wait_until
from tests.e2e.streams import DIALECTS, Received, paced, receive, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

STREAMS = 200
FLAGS = ("--workers", "2")


def free_address() -> str:
    """Return an address that two gateways, one after the other, can be told to serve."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def fresh(simulator: Simulator, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of two workers that a test may wreck."""
    home = tmp_path / "codexia"
    log_in(home, simulator)
    with running_gateway(home, simulator, *FLAGS, "--bind", free_address()) as gateway:
        yield gateway


async def start_streams(group: asyncio.TaskGroup, http, url: str, prompt: str) -> list[Received]:
    """Start many streams and wait until each has begun."""
    seen = [Received(DIALECTS[n % 3], first_byte=asyncio.Event()) for n in range(STREAMS)]
    for each in seen:
        group.create_task(receive(http, url, each.dialect, prompt, each))
    async with asyncio.timeout(30):
        for each in seen:
            assert each.first_byte
            await each.first_byte.wait()
    return seen


async def test_two_hundred_paced_streams_are_exact(fresh: Gateway, simulator: Simulator):
    prompt, expected = paced(deltas=100, gap_ms=20)
    async with session() as http, asyncio.TaskGroup() as group:
        seen = await start_streams(group, http, fresh.url, prompt)
    assert [each for each in seen if not each.whole or each.text != expected] == []
    assert simulator.stats["violations"] == []


async def test_killed_worker_ends_only_its_own_streams(fresh: Gateway):
    prompt, expected = paced(deltas=150, gap_ms=20)
    victim = fresh.worker_pids()[0]
    async with session() as http:
        async with asyncio.TaskGroup() as group:
            seen = await start_streams(group, http, fresh.url, prompt)
            os.kill(victim, signal.SIGKILL)
            killed_at = time.monotonic()
            # From the kill on every new request must be served by whoever is left.
            later = [
                await receive(http, fresh.url, DIALECTS[n % 3], "SAY[[still here]]")
                for n in range(30)
            ]
            await asyncio.to_thread(
                wait_until,
                lambda: len(set(fresh.worker_pids()) - {victim}) == 2,
                "the killed worker is replaced",
                5 - (time.monotonic() - killed_at),
            )
        after = await asyncio.gather(
            *(receive(http, fresh.url, DIALECTS[n % 3], "SAY[[back]]") for n in range(60))
        )
    broken = [each for each in seen if each.broken]
    assert 0 < len(broken) < STREAMS
    assert all(each.whole and each.text == expected for each in seen if not each.broken)
    assert [each for each in later if not each.whole or each.text != "still here"] == []
    assert [each for each in after if not each.whole or each.text != "back"] == []


async def test_killed_supervisor_ends_no_stream_and_comes_back(
    fresh: Gateway, simulator: Simulator
):
    prompt, expected = paced(deltas=150, gap_ms=20)
    workers = fresh.worker_pids()
    generation = fresh.generation_pid()
    address = fresh.url.removeprefix("http://")
    async with session() as http:
        async with asyncio.TaskGroup() as group:
            seen = await start_streams(group, http, fresh.url, prompt)
            fresh.stop(signal.SIGKILL)
            orphaned = [
                await receive(http, fresh.url, DIALECTS[n % 3], "SAY[[no supervisor]]")
                for n in range(30)
            ]
        assert [each for each in seen if not each.whole or each.text != expected] == []
        assert [each for each in orphaned if not each.whole] == []
        with running_gateway(fresh.home, simulator, *FLAGS, "--bind", address) as successor:
            assert successor.generation_pid() == generation
            assert successor.worker_pids() == workers
            adopted = await receive(http, successor.url, "chat", "SAY[[adopted]]")
            assert adopted.text == "adopted"
            # The successor must have the snapshot in its hands, not only the processes.
            simulator.expire_tokens()
            refreshed = await receive(http, successor.url, "chat", "SAY[[refreshed]]")
            assert refreshed.text == "refreshed"
    assert simulator.stats["refresh_token_reuse"] == 0
    wait_until(lambda: not children(generation), "the adopted workers have ended")


async def test_killed_generation_is_replaced(fresh: Gateway):
    generation, workers = fresh.generation_pid(), fresh.worker_pids()
    os.kill(generation, signal.SIGKILL)
    wait_until(lambda: fresh.generation_pid() != generation, "a new generation")
    async with session() as http:
        after = [await receive(http, fresh.url, "chat", "SAY[[new]]") for _ in range(20)]
    assert [each for each in after if not each.whole] == []
    # The old workers lost their main process; they must not serve on beside the new ones.
    wait_until(lambda: not any(_alive(pid) for pid in workers), "the orphaned workers have ended")


async def test_worker_that_dies_again_and_again_does_not_end_the_service(fresh: Gateway):
    """Granian gives up after two deaths in a row; the supervisor must not."""
    generation = fresh.generation_pid()
    prompt, expected = paced(deltas=150, gap_ms=20)
    async with session() as http:
        async with asyncio.TaskGroup() as group:
            seen = await start_streams(group, http, fresh.url, prompt)
            survivor = fresh.worker_pids()[1]
            for _ in range(2):
                victim = next(pid for pid in fresh.worker_pids() if pid != survivor)
                os.kill(victim, signal.SIGKILL)
                await asyncio.to_thread(
                    wait_until,
                    lambda victim=victim: not _alive(victim) and len(fresh.worker_pids()) == 2,
                    "the worker is replaced",
                )
            later = [
                await receive(http, fresh.url, DIALECTS[n % 3], "SAY[[still here]]")
                for n in range(30)
            ]
        assert [each for each in later if not each.whole] == []
        assert [each for each in seen if not each.broken and each.text != expected] == []
        assert len([each for each in seen if not each.broken]) > 0
        wait_until(lambda: fresh.generation_pid() != generation, "a new generation")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
