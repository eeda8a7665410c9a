"""More clients than the account may have streams: all are served or answered, in turn."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from tests.e2e.live_gateway import LiveGateway, live_gateway
from tests.e2e.outcomes import Ask, outcome, outcomes
from tests.e2e.processes import wait_until
from tests.e2e.streams import DIALECTS, PATHS, body, paced, receive, session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Simulator

CLIENTS = int(os.environ.get("CODEXIA_TEST_OVERLOAD_CLIENTS", "300"))
CAP = 10
LONG = "STREAM[[deltas=2000 gap_ms=10]]"
KEYS = [
    {"name": "laptop", "key": "key-of-laptop"},
    {"name": "phone", "key": "key-of-phone", "concurrency": 1},
    {"name": "guest", "key": "key-of-guest", "models": ["gpt-6-luna", "fast"]},
]


@pytest.fixture(scope="module")
def live(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    with live_gateway(
        tmp_path_factory.mktemp("overload"),
        simulator,
        max_upstream_streams=CAP,
        queue_timeout_s=120,
        api_keys=KEYS,
        model_aliases={"fast": "gpt-5.5"},
    ) as gateway:
        yield gateway


@pytest.fixture
def crowded(live: LiveGateway) -> Iterator[LiveGateway]:
    """One stream at a time, and nobody waits for long."""
    edit(live, max_upstream_streams=1, queue_timeout_s=1)
    yield live
    edit(live)


def edit(live: LiveGateway, **settings: Any) -> None:
    """Let settings be in force."""
    live.save(**settings)
    live.call("POST", "/config/reload")


def key(name: str) -> dict[str, str]:
    return {"x-api-key": f"key-of-{name}"}


async def holding(live: LiveGateway, simulator: Simulator, group: asyncio.TaskGroup) -> Any:
    """Let one long stream take the only place, once that is so; return its task."""
    await asyncio.to_thread(wait_until, lambda: not simulator.stats["open_streams"], "none is open")
    task = group.create_task(_stream(live, LONG))
    await asyncio.to_thread(wait_until, lambda: simulator.stats["open_streams"], "one is open")
    return task


async def _stream(live: LiveGateway, prompt: str) -> None:
    # Its place may be another worker's still, for longer than it may wait.
    async with session(key("laptop")) as http:
        while (await receive(http, live.url, "responses", prompt)).status != 200:
            pass


async def test_all_clients_are_served_and_the_backend_never_has_more_than_the_cap(
    live: LiveGateway, simulator: Simulator
):
    prompt, expected = paced(6, 10)
    url = live.url
    async with session(key("laptop")) as http:
        seen = await asyncio.gather(
            *(receive(http, url, DIALECTS[each % 3], prompt) for each in range(CLIENTS))
        )
    assert [each for each in seen if not each.whole or each.text != expected] == []
    stats = simulator.stats
    assert CAP // 2 < stats["most_streams"] <= CAP
    assert stats["responses_completed"] == CLIENTS


async def test_who_waits_too_long_is_told_when_to_come_back(
    crowded: LiveGateway, simulator: Simulator
):
    async with session(key("laptop")) as http, asyncio.TaskGroup() as group:
        held = await holding(crowded, simulator, group)
        answers = await outcomes(http, crowded.url, "SAY[[hi]]")
        held.cancel()
    for found in answers:
        is_anthropic = found.ask.dialect == "messages"
        assert found.status == (529 if is_anthropic else 429)
        assert int(found.headers["retry-after"]) >= 1
        assert found.headers["x-should-retry"] == "true"
        kind = "overloaded_error" if is_anthropic else "rate_limit_error"
        assert found.error
        assert found.error["type"] == kind


async def test_client_that_leaves_while_it_waits_is_forgotten(
    live: LiveGateway, simulator: Simulator
):
    edit(live, max_upstream_streams=1)
    async with session(key("laptop")) as http, asyncio.TaskGroup() as group:
        held = await holding(live, simulator, group)
        url = live.url
        leaving = group.create_task(receive(http, url, "responses", "SAY[[left]]"))
        staying = group.create_task(receive(http, url, "responses", "SAY[[stayed]]"))
        await asyncio.to_thread(wait_until, lambda: _waiting(live) == 2, "two wait")
        leaving.cancel()
        await asyncio.to_thread(wait_until, lambda: _waiting(live) == 1, "one waits")
        held.cancel()
        assert (await staying).text == "stayed"
    assert not any("left" in orjson.dumps(each).decode() for each in simulator.requests())
    edit(live)


def _waiting(live: LiveGateway) -> int:
    reply = httpx.get(f"{live.url}/metrics", headers=key("laptop"), trust_env=False)
    line = next(
        line for line in reply.text.splitlines() if line.startswith("codexia_requests_waiting ")
    )
    return int(float(line.split()[1]))


async def test_key_has_no_more_streams_than_it_may_and_others_do_not_wait_for_it(
    live: LiveGateway, simulator: Simulator
):
    url, prompt = live.url, paced(5, 10)[0]
    async with session(key("phone")) as http:
        seen = await asyncio.gather(
            *(receive(http, url, "messages", prompt) for _ in range(12)),
        )
    assert all(each.whole for each in seen)
    assert simulator.stats["most_streams"] == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_key_may_use_its_models_only(live: LiveGateway, simulator: Simulator, dialect: str):
    def ask(model: str) -> httpx.Response:
        return httpx.post(
            live.url + PATHS[dialect],
            json=body(dialect, "SAY[[hi]]", stream=False) | {"model": model},
            headers=key("guest"),
            trust_env=False,
        )

    assert ask("gpt-6-luna").status_code == 200
    assert ask("fast").status_code == 200
    refusal = ask("gpt-6-sol")
    assert refusal.status_code == 403
    error = refusal.json()["error"]
    assert error["type"] == "permission_error"
    assert "gpt-5.5, gpt-6-luna" in error["message"]
    assert not any("gpt-6-sol" in str(each["body"]) for each in simulator.requests()[-1:])


def test_key_is_shown_its_models_only(live: LiveGateway):
    assert set(live.models(**key("guest"))) == {"gpt-6-luna", "gpt-5.5", "fast"}
    assert "gpt-6-sol" in live.models(**key("laptop"))
    path = f"{live.url}/v1/models/gpt-6-sol"
    assert httpx.get(path, headers=key("guest"), trust_env=False).status_code == 404


async def test_bodies_beyond_the_memory_for_them_are_refused_for_a_while(
    live: LiveGateway, simulator: Simulator
):
    edit(live, workers=1, max_request_memory_mb=1)
    await asyncio.to_thread(live.served_as, lambda: len(live.worker_pids()) == 1)
    large = "x" * 450_000  # counted as read and as decoded
    async with session(key("laptop")) as http, asyncio.TaskGroup() as group:
        url = live.url
        held = group.create_task(receive(http, url, "responses", f"{LONG} {large}"))
        await asyncio.to_thread(wait_until, lambda: simulator.stats["open_streams"], "one is open")
        for dialect, status in (("chat", 503), ("messages", 529)):
            found = await outcome(http, url, Ask(dialect, stream=True), large)
            assert (found.status, found.headers["retry-after"]) == (status, "1")
        assert (await outcome(http, url, Ask("chat", stream=True), "SAY[[small]]")).whole
        held.cancel()
        await asyncio.to_thread(wait_until, lambda: not simulator.stats["open_streams"], "none")
        assert (await outcome(http, url, Ask("chat", stream=True), f"SAY[[hi]] {large}")).whole


async def test_one_key_is_served_in_order_and_in_turn_with_another(
    live: LiveGateway, simulator: Simulator
):
    edit(live, workers=1, max_upstream_streams=1)
    await asyncio.to_thread(live.served_as, lambda: len(live.worker_pids()) == 1)
    names = ["laptop1", "laptop2", "laptop3", "guest1", "guest2"]
    async with session() as http, asyncio.TaskGroup() as group:
        held = await holding(live, simulator, group)
        url = live.url
        for name in names:
            fields = {"model": "fast", "input": f"SAY[[{name}]]", "store": False}
            group.create_task(_post(http, url, fields, key(name[:-1])))
            for _ in range(3):  # what goes another way and back takes longer
                async with http.get(f"{url}/health") as reply:
                    await reply.read()
        held.cancel()
    served = [each["body"]["input"][0]["content"][0]["text"] for each in simulator.requests()]
    order = [text[5:-2] for text in served[-5:]]
    assert order == ["laptop1", "guest1", "laptop2", "guest2", "laptop3"]


async def _post(http: Any, url: str, fields: dict[str, Any], headers: dict[str, str]) -> None:
    async with http.post(f"{url}/v1/responses", json=fields, headers=headers) as reply:
        assert reply.status == 200
        await reply.read()
