"""Edits while requests come: nothing in between is ever served, and nothing wrong stays."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest

from tests.e2e.live_gateway import LiveGateway, live_gateway

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

EDITS = 20
CLIENTS = 4


@pytest.fixture(scope="module")
def live(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path_factory.mktemp("live"), simulator) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def as_at_the_start(live: LiveGateway) -> None:
    live.save()
    live.in_force(lambda: isinstance(live.models(), list) and not live.status().config_problem)


async def test_key_and_alias_of_one_edit_are_never_seen_apart(live: LiveGateway):
    """Each key gives the alias that was saved with it, also where the body comes late."""
    current = 0
    seen: set[int] = set()

    def save(number: int) -> None:
        live.save(api_key=f"key-{number}", model_aliases={f"alias-{number}": "gpt-5.5"})

    async def slowly(content: bytes) -> AsyncGenerator[bytes]:
        yield content[:5]
        await asyncio.sleep(0.05)  # an edit may come between the key and the model
        yield content[5:]

    async def ask(http: httpx.AsyncClient) -> None:
        while current < EDITS:
            number = current
            fields = {"model": f"alias-{number}", "input": "SAY[[hi]]", "store": False}
            headers = {"authorization": f"Bearer key-{number}", "content-type": "application/json"}
            content = slowly(orjson.dumps(fields))
            try:
                reply = await http.post(f"{url}/v1/responses", content=content, headers=headers)
            except httpx.TransportError:
                continue  # a refused key is answered before the body is read, and the rest reset
            # Of another revision the alias would go to the backend as it is, and be refused.
            assert reply.status_code in {200, 401}, reply.text
            if reply.status_code == 200:
                seen.add(number)

    async def edit() -> None:
        nonlocal current
        while current < EDITS:
            await asyncio.to_thread(save, current + 1)
            current += 1
            await asyncio.sleep(0.5)

    save(0)
    await asyncio.to_thread(live.in_force, lambda: live.models() == 401)
    url = live.url
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http, asyncio.TaskGroup() as group:
        group.create_task(edit())
        for _ in range(CLIENTS):
            group.create_task(ask(http))
    assert len(seen) > EDITS / 2


def test_last_of_a_hundred_rapid_saves_is_in_force_and_none_is_torn(live: LiveGateway):
    for number in range(100):
        settings = live.base | {"models": [f"model-{number}", "x" * 5000]}
        if number % 2:
            live.save(**settings)
        else:
            live.file.write_bytes(orjson.dumps(settings))  # in place: empty for an instant
    live.in_force(lambda: live.models()[0] == "model-99")
    assert live.status().config_problem == ""
    assert live.worker_pids()


def test_wrong_file_is_a_problem_until_it_is_right(live: LiveGateway):
    live.save(models=["good"])
    live.in_force(lambda: live.models() == ["good"])
    for wrong in (b"", b'{"models": ["half', b"[]", os.urandom(10_000_000)):
        live.file.write_bytes(wrong)
        live.in_force(lambda: live.status().config_problem)
        assert live.models() == ["good"]
        assert live.status().config_problem in live.status().problems
        live.save(models=["good"])
        live.in_force(lambda: not live.status().config_problem)


def test_directory_in_place_of_the_file(live: LiveGateway):
    live.file.unlink()
    live.file.mkdir()
    live.in_force(lambda: live.status().config_problem)
    live.file.rmdir()
    live.save(models=["back"])
    live.in_force(lambda: live.models() == ["back"])


def test_link_whose_target_is_edited_replaced_and_exchanged(live: LiveGateway, tmp_path: Path):
    def content(model: str) -> bytes:
        return orjson.dumps(live.base | {"models": [model]})

    target, other = tmp_path / "a.json", tmp_path / "b.json"
    target.write_bytes(content("linked"))
    live.file.unlink()
    live.file.symlink_to(target)
    live.in_force(lambda: live.models() == ["linked"])
    target.write_bytes(content("edited"))
    live.in_force(lambda: live.models() == ["edited"])
    draft = tmp_path / "draft"
    draft.write_bytes(content("replaced"))
    draft.replace(target)
    live.in_force(lambda: live.models() == ["replaced"])
    other.write_bytes(content("exchanged"))
    link = live.home / "link"
    link.symlink_to(other)
    link.replace(live.file)
    live.in_force(lambda: live.models() == ["exchanged"])
    live.file.unlink()
