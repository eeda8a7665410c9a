"""Somebody guesses local keys while their holders work."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest

from codexia_workers.wrong_keys import AT_ONCE, LONGEST_WAIT_S, PER_S
from tests.e2e.processes import Gateway, log_in, running_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Simulator

KEY = "a-right-key-4c1f"
GUESSERS, GUESS_FOR_S = 100, 2.0


@pytest.fixture
def locked(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("locked")
    log_in(home, simulator)
    with running_gateway(home, simulator, "--workers", "1", CODEXIA_API_KEY=KEY) as gateway:
        yield gateway


async def test_guessing_is_slowed_down_and_stops_nobody(locked: Gateway):
    answers: list[int] = []
    waits_s: list[float] = []
    end = time.monotonic() + GUESS_FOR_S

    async def guess(http: aiohttp.ClientSession, number: int) -> None:
        while time.monotonic() < end:
            headers = {"x-api-key": f"guess-{number}-{len(answers)}"}
            async with http.get(f"{locked.url}/v1/models", headers=headers) as reply:
                answers.append(reply.status)
                if reply.status == 429:
                    assert int(reply.headers["retry-after"]) >= LONGEST_WAIT_S
                    await asyncio.sleep(0.2)

    async def work(http: aiohttp.ClientSession) -> None:
        while time.monotonic() < end:
            started = time.monotonic()
            headers = {"authorization": f"Bearer {KEY}"}
            async with http.get(f"{locked.url}/v1/models", headers=headers) as reply:
                assert reply.status == 200
            waits_s.append(time.monotonic() - started)

    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        aiohttp.ClientSession() as own,
        asyncio.TaskGroup() as group,
    ):
        for number in range(GUESSERS):
            group.create_task(guess(http, number))
        group.create_task(work(own))
    assert set(answers) == {401, 429}
    most = AT_ONCE + PER_S * (GUESS_FOR_S + LONGEST_WAIT_S) + 1
    assert answers.count(401) <= most
    assert len(waits_s) > 20
    assert median(waits_s) < 0.1
    assert [line for line in locked.lines if "wrong local keys come faster" in line] != []
    assert [line for line in locked.lines if "guess-" in line] == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": KEY + "x"},
        {"x-api-key": KEY.upper()},
        {"x-api-key": "\u00e9".encode("latin-1")},
        {"x-api-key": "x" * 8000},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer {KEY}, Bearer wrong"},
        {"authorization": "Bearer"},
        {"cookie": f"key={KEY}"},
    ],
)
def test_every_wrong_key_is_refused_in_the_same_words(
    locked: Gateway, headers: dict[str, str | bytes]
):
    replies = [
        httpx.request(method, locked.url + path, headers=headers)  # type: ignore[arg-type]
        for method, path in (("GET", "/v1/models"), ("POST", "/v1/responses"))
    ]
    assert {reply.status_code for reply in replies} == {401}
    assert len({reply.content for reply in replies}) == 1
    assert replies[0].json()["error"]["code"] == "invalid_api_key"


def test_key_in_an_address_is_none(locked: Gateway):
    for query in (f"key={KEY}", f"api_key={KEY}", f"x-api-key={KEY}"):
        assert httpx.get(f"{locked.url}/v1/models?{query}").status_code == 401
