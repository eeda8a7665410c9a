"""A client that does not read holds the backend back instead of filling the worker's memory."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from codexia.simulator.generate import stream_text
from tests.e2e.outcomes import outcomes
from tests.e2e.processes import wait_until
from tests.e2e.streams import DIALECTS, PATHS, body, session

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway, Simulator

DELTAS, SIZE = 8_000, 10_000
"""80 MB for each client, in texts."""

MOST_UNREAD_BYTES = 24 * 2**20
"""What may be on the way to one client: in the sockets' buffers and the server's queue."""

MOST_GROWTH_BYTES = 48 * 2**20
STILL_FOR_S = 0.5


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def ask_without_reading(url: str, dialect: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)))
    content = orjson.dumps(body(dialect, f"STREAM[[deltas={DELTAS} size={SIZE}]]"))
    head = (
        f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: localhost\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    client.sendall(head.encode() + content)
    return client


def wait_until_still(simulator: Simulator) -> int:
    """Return how many events the simulator has sent, once it sends no more."""
    seen = (-1, 0.0)

    def still() -> bool:
        nonlocal seen
        events = simulator.stats["events_sent"]
        if events != seen[0]:
            seen = (events, time.monotonic())
        return events > 0 and time.monotonic() - seen[1] > STILL_FOR_S

    wait_until(still, "the backend is held back")
    return seen[0]


async def test_unread_streams_stay_small_and_harm_no_other(gateway: Gateway, simulator: Simulator):
    before = sum(resident_bytes(pid) for pid in gateway.worker_pids())
    with ExitStack() as clients:
        for dialect in DIALECTS:
            clients.enter_context(ask_without_reading(gateway.url, dialect))
        events = await asyncio.to_thread(wait_until_still, simulator)
        assert events * SIZE < MOST_UNREAD_BYTES * len(DIALECTS)
        grown = sum(resident_bytes(pid) for pid in gateway.worker_pids()) - before
        assert grown < MOST_GROWTH_BYTES
        async with session() as http:
            for each in await outcomes(http, gateway.url, "STREAM[[deltas=1000]]"):
                assert each.whole
                assert each.text == stream_text(1000, 8)
        assert simulator.stats["open_streams"] == len(DIALECTS)
    wait_until(lambda: simulator.stats["open_streams"] == 0, "the backend is told", 1)
