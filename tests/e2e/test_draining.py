"""What becomes of connections when the workers that have them make place for others."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from tests.e2e.operations import free_ports
from tests.e2e.processes import log_in, wait_until
from tests.e2e.service import Service
from tests.e2e.streams import Received, paced, receive, session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator

HEALTH = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


async def test_old_generation_answers_what_it_accepted_and_accepts_no_more(
    simulator: Simulator, tmp_path: Path
):
    log_in(tmp_path, simulator)
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with Service(tmp_path, simulator, workers=1, bind_port=port) as service:
        prompt, expected = paced(deltas=60, gap_ms=100)
        seen = Received("chat", first_byte=asyncio.Event())
        async with session() as http, asyncio.TaskGroup() as group:
            group.create_task(receive(http, url, "chat", prompt, seen))
            await seen.first_byte.wait()
            silent = await _open(port)
            service.configure(workers=2)
            await asyncio.to_thread(wait_until, lambda: _states(service)[0] == "draining", "drain")
            # It was accepted by the old worker and says something only now.
            silent.sendall(HEALTH)
            assert b"connection: close" in (await asyncio.to_thread(_answer, silent)).lower()
            for _ in range(20):
                fresh = await _open(port)
                fresh.sendall(HEALTH.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
                assert (await asyncio.to_thread(_answer, fresh)).startswith(b"HTTP/1.1 200")
        assert (seen.whole, seen.text) == (True, expected)


async def test_address_that_was_given_up_refuses_while_its_last_streams_go_on(
    simulator: Simulator, tmp_path: Path
):
    log_in(tmp_path, simulator)
    old, new = free_ports(2)
    with Service(tmp_path, simulator, workers=1, bind_port=old) as service:
        prompt, expected = paced(deltas=150, gap_ms=100)
        seen = Received("messages", first_byte=asyncio.Event())
        async with session() as http, asyncio.TaskGroup() as group:
            group.create_task(receive(http, f"http://127.0.0.1:{old}", "messages", prompt, seen))
            await seen.first_byte.wait()
            service.configure(bind_port=new)
            await asyncio.to_thread(wait_until, lambda: _refuses(old), "the old port refuses")
            assert not +seen.ends
            assert not _refuses(new)
        assert (seen.whole, seen.text) == (True, expected)


def _states(service: Service) -> list[str]:
    status = service.status()
    return [each.state for each in status.generations] if status else [""]


async def _open(port: int) -> socket.socket:
    return await asyncio.to_thread(socket.create_connection, ("127.0.0.1", port), 5)


def _answer(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as answer:
        return answer.read()


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
