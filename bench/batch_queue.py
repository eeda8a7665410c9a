"""What batches cost: `python -m bench.batch_queue`.

1. Items a second that the queue gives out and takes back, with two workers that answer at once.
2. What a creation of 100,000 requests of 256 MB takes in the supervisor's memory, and what it does to
   the time to the first byte of live requests meanwhile.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import orjson
import uvloop

from bench.circumstances import Circumstances
from bench.dialects import DIALECTS
from bench.memory import MemoryWatch, resident_mb
from bench.processes import Gateway, Process, Simulator
from codexia.batches import Batch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from typing import BinaryIO

JSON = {"content-type": "application/json"}

ITEMS = 10_000
CONCURRENCY = 64
REQUESTS = 100_000
REQUEST_BYTES = 2_640
"""So that all of them are a little under 256 MB."""

LIVE_S = 20.0
LIVE_GAP_S = 0.01
WATCH_S = 0.05
DEADLINE_S = 600.0


async def main() -> None:
    """Measure both and print it."""
    print(Circumstances.now().lines(), end="\n\n")
    with TemporaryDirectory(prefix="codexia-bench-") as folder, Simulator() as simulator:
        home = Path(folder) / "home"
        with Gateway(home, simulator, simulator.credentials()) as gateway:
            await _creation(gateway, home)
        home = Path(folder) / "queue"
        arguments = (str(home), "bind_port=0", "workers=1", f"batch_concurrency={CONCURRENCY}")
        stand_in = Path(folder) / "stand_in"
        stand_in.write_text("serve")
        home.mkdir(mode=0o700)
        (home / "auth.json").write_bytes(simulator.credentials())
        (home / "auth.json").chmod(0o600)
        script = Path(__file__).parent.parent / "tests/supervisor/run_supervisor.py"
        environment = {"STAND_IN": str(stand_in)}
        with Process(
            sys.executable, str(script), *arguments, environment=environment
        ) as supervisor:
            supervisor.announced_url()
            await _throughput(home / "run" / "supervisor.sock")


async def _throughput(socket: Path) -> None:
    connector = aiohttp.UnixConnector(str(socket))
    async with aiohttp.ClientSession("http://supervisor", connector=connector) as control:
        batch = await _create(control, ITEMS, 300)
        worker = (sys.executable, "-m", "tests.supervisor.batch_worker", str(socket))
        started = time.perf_counter()
        with (
            Process(*worker, "a", "/dev/null"),
            Process(*worker, "b", "/dev/null"),
        ):
            while batch.state != "ended":
                await asyncio.sleep(0.05)
                async with control.get(f"/batches/{batch.id}") as reply:
                    batch = Batch.model_validate_json(await reply.read())
        wall_s = time.perf_counter() - started
        assert batch.counts.succeeded == ITEMS
        async with control.get(f"/batches/{batch.id}/results") as reply:
            lines = [orjson.loads(line) for line in (await reply.read()).splitlines()]
        assert [each["custom_id"] for each in lines] == [f"r{n}" for n in range(ITEMS)]
    print(
        f"queue: {ITEMS} items in {wall_s:.2f} s, {ITEMS / wall_s:.0f} items/s, workers' start included"
    )


async def _creation(gateway: Gateway, home: Path) -> None:
    before = resident_mb(gateway.pid)
    # The client that uploads is a process by itself: live requests wait for the gateway, not for it.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as client:
        loop = asyncio.get_running_loop()
        content = home.parent / "creation.json"
        await loop.run_in_executor(client, _write_creation, content)
        with MemoryWatch({"supervisor": gateway.pid}, WATCH_S) as watch:
            without = await _live(gateway, asyncio.sleep(LIVE_S))
            started = time.perf_counter()
            creating = loop.run_in_executor(client, _upload, gateway.url, content)
            during = await _live(gateway, creating)
            wall_s = time.perf_counter() - started
            # To run or to cancel the requests is not part of the creation.
            await loop.run_in_executor(client, _cancel, gateway.url, await creating)
            # Before and after: what the machine's other work changes in a minute is in both.
            without += await _live(gateway, asyncio.sleep(LIVE_S))
        peak = watch.highest_mb()["supervisor"]
    print(
        f"creation: {REQUESTS} requests, {REQUESTS * REQUEST_BYTES / 2**20:.0f} MB, {wall_s:.1f} s"
    )
    print(
        f"supervisor RSS: {before:.0f} MB before, {peak:.0f} MB at most, grown {peak - before:.0f} MB"
    )
    for name, samples in (("without", without), ("during", during)):
        p50, p99 = statistics.median(samples), statistics.quantiles(samples, n=100)[98]
        print(
            f"live first byte {name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(samples)} requests"
        )


def _write_creation(path: Path) -> None:
    with path.open("wb") as file:
        for part in _requests(REQUESTS, REQUEST_BYTES):
            file.write(part)


def _upload(url: str, path: Path) -> str:
    """Create a batch as a client does; return its id."""
    with _client(url) as http, path.open("rb") as file:
        reply = http.post("/v1/messages/batches", content=_pieces(file))
    created = reply.raise_for_status().json()
    assert created["request_counts"]["processing"] == REQUESTS
    return created["id"]


def _cancel(url: str, batch_id: str) -> None:
    """Cancel a batch and return when it has ended."""
    with _client(url) as http:
        http.post(f"/v1/messages/batches/{batch_id}/cancel").raise_for_status()
        while http.get(f"/v1/messages/batches/{batch_id}").json()["processing_status"] != "ended":
            time.sleep(0.1)


def _client(url: str) -> httpx.Client:
    headers = JSON | {"anthropic-version": "2023-06-01"}
    return httpx.Client(base_url=url, headers=headers, timeout=DEADLINE_S, trust_env=False)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(1 << 16):
        yield piece


async def _live(gateway: Gateway, until: Awaitable[Any]) -> list[float]:
    """Return milliseconds to the first byte of live requests, one after the other, meanwhile."""
    dialect = DIALECTS["messages"]
    samples: list[float] = []
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        running = group.create_task(_ended(until))
        while not running.done():
            body = orjson.dumps(dialect.body("short"))
            started = time.perf_counter()
            async with http.post(f"{gateway.url}{dialect.path}", data=body, headers=JSON) as reply:
                await reply.content.readany()
                samples.append((time.perf_counter() - started) * 1000)
                assert reply.status == 200
                await reply.read()
            await asyncio.sleep(LIVE_GAP_S)
    return samples


async def _ended(what: Awaitable[Any]) -> None:
    await what


async def _create(control: aiohttp.ClientSession, count: int, size: int) -> Batch:
    async with control.post("/batches?key=", data=b"".join(_requests(count, size))) as reply:
        content = await reply.read()
        assert reply.status == 200, content[:300]
        batch = Batch.model_validate_json(content)
    assert batch.counts.pending + batch.counts.running == count
    return batch


def _requests(count: int, size: int) -> Iterator[bytes]:
    """Yield a creation, all in one line; each request takes `size` bytes."""
    group: list[bytes] = []
    for number in range(count):
        group.append(_request(number, size))
        if len(group) == 100 or number == count - 1:
            start = b'{"requests":[' if number < 100 else b","
            yield start + b",".join(group)
            group = []
    yield b"]}"


def _request(number: int, size: int) -> bytes:
    text = "a line of text\n"
    params = {"model": "gpt-5.5", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    short = orjson.dumps({"custom_id": f"r{number}", "params": params})
    params["messages"] = [{"role": "user", "content": text + "x" * max(0, size - len(short) - 1)}]
    return orjson.dumps({"custom_id": f"r{number}", "params": params})


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
