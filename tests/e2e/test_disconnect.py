"""A client that goes away, or wants no more, ends the backend's work at once: it costs quota."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest

from codexia.simulator.generate import stream_text
from tests.e2e.outcomes import ASKS, Ask, outcome, outcomes
from tests.e2e.processes import wait_until
from tests.e2e.streams import PATHS, body, session

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway, Simulator

AT_ONCE_S = 0.5
"""Within this the backend must have noticed."""

PACED = "STREAM[[deltas=2000 gap_ms=10]]"
MOMENTS = {
    "before the backend answers": "FAULT[[never]]",
    "before any content": f"{PACED} FAULT[[stall after=2]]",
    "in a silence after content": f"{PACED} FAULT[[stall after=8]]",
    "while content flows": PACED,
}
STOP_FIELDS = {"chat": "stop", "messages": "stop_sequences"}


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_LOG_LEVEL": "info"}


async def open_streams(simulator: Simulator, count: int, deadline_s: float) -> None:
    await asyncio.to_thread(
        wait_until,
        lambda: simulator.stats["open_streams"] == count,
        f"{count} streams are open at the backend",
        deadline_s,
    )


async def still_serves(gateway: Gateway) -> bool:
    async with session() as http:
        return all(each.whole for each in await outcomes(http, gateway.url, "SAY[[ok]]"))


async def leave_all(
    gateway: Gateway, simulator: Simulator, asks: tuple[Ask, ...], prompt: str
) -> None:
    """Ask, wait until the backend is at work on all of it, leave."""
    async with session() as http, asyncio.TaskGroup() as group:
        asking = [group.create_task(outcome(http, gateway.url, ask, prompt)) for ask in asks]
        await open_streams(simulator, len(asks), 10)
        for task in asking:
            task.cancel()
        await open_streams(simulator, 0, AT_ONCE_S)
    assert simulator.stats["disconnects"] == len(asks)
    assert await still_serves(gateway)


@pytest.mark.parametrize("prompt", MOMENTS.values(), ids=MOMENTS.keys())
async def test_client_gone_is_told_to_the_backend_at_once(
    gateway: Gateway, simulator: Simulator, prompt: str
):
    await leave_all(gateway, simulator, ASKS, prompt)


async def test_fifty_clients_gone_together(gateway: Gateway, simulator: Simulator):
    await leave_all(gateway, simulator, (ASKS * 9)[:50], PACED)


async def test_answer_read_to_its_end_is_not_logged_as_a_disconnect(gateway: Gateway):
    async with session() as http:
        seen = [each for _ in range(10) for each in await outcomes(http, gateway.url, "SAY[[hi]]")]
    ids = {each.headers["request-id"] for each in seen}

    def logged() -> list[str]:
        lines = [line for line in gateway.lines if any(each in line for each in ids)]
        return lines if len(lines) == len(ids) else []

    lines = await asyncio.to_thread(wait_until, logged, "every request is logged")
    assert [line for line in lines if "outcome=ok" not in line] == []


async def test_body_that_is_never_finished_reaches_no_backend(
    gateway: Gateway, simulator: Simulator
):
    host, port = gateway.url.removeprefix("http://").split(":")
    for path in PATHS.values():
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        writer.write(f'{head}content-length: 100\r\n\r\n{{"model"'.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert await still_serves(gateway)
    assert simulator.stats["requests"]["POST /backend-api/codex/responses"] == len(ASKS)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("dialect", STOP_FIELDS)
async def test_reached_stop_sequence_ends_the_backends_work(
    gateway: Gateway, simulator: Simulator, dialect: str, stream: bool
):
    asked = {**body(dialect, PACED, stream=stream), STOP_FIELDS[dialect]: ["w000005"]}
    headers = {"content-type": "application/json"}
    async with (
        session() as http,
        http.post(gateway.url + PATHS[dialect], data=orjson.dumps(asked), headers=headers) as reply,
    ):
        answer = await reply.text()
    assert reply.status == 200
    assert stream_text(2000, 8)[32:39] in answer
    assert "w000005" not in answer.replace('"stop_sequence":"w000005"', "")
    await open_streams(simulator, 0, AT_ONCE_S)
    assert simulator.stats["disconnects"] == 1
