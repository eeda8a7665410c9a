"""Codex CLI with a ChatGPT login of its own: compressed bodies, and OpenAI's provider."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard

from tests.e2e.client_programs import ChatGptLogin, CodexCli
from tests.e2e.processes import running_simulator, wait_until
from tests.e2e.tap import Tap, tapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.e2e.installed_clients import Run
    from tests.e2e.processes import Gateway, Simulator

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_LOG_LEVEL": "info"}


@pytest.fixture(scope="module")
def login() -> Iterator[ChatGptLogin]:
    """A login that the gateway's backend does not know, so that it cannot be the one it uses."""
    with running_simulator() as account:
        tokens = orjson.loads(account.credentials())
        yield ChatGptLogin(tokens, f"{account.url}/backend-api")


@pytest.fixture
async def tap(gateway: Gateway) -> AsyncIterator[Tap]:
    async with tapped(gateway.url) as tap:
        yield tap


def unpacked(body: bytes) -> dict[str, Any]:
    # The frames do not say how large their content is, which the one-shot call wants to know.
    return orjson.loads(zstandard.ZstdDecompressor().decompressobj().decompress(body))


def assert_ran_the_command(run: Run, home: Path, token: str) -> None:
    assert run.code == 0, run
    assert run.answer.startswith("DONE "), run
    assert (home / "work" / "ran.txt").read_text() == f"{token}\n"


async def test_it_runs_a_command_by_compressed_bodies(
    tap: Tap, simulator: Simulator, tmp_path: Path, login: ChatGptLogin
):
    token = secrets.token_hex(8)
    client = CodexCli(tmp_path, tap.url, login=login)
    run = await asyncio.to_thread(client.ask, f"RUN[[echo {token} | tee ran.txt]]")
    assert_ran_the_command(run, tmp_path, token)
    sent = tap.posts("/v1/responses")
    assert [each.headers["content-encoding"] for each in sent] == ["zstd", "zstd"]
    assert sent[0].headers["authorization"] == f"Bearer {login.tokens['access_token']}"
    asked = [unpacked(each.body)["input"] for each in sent]
    passed_on = [each["body"]["input"] for each in simulator.requests()]
    assert [len(each) for each in passed_on] == [len(each) for each in asked]
    assert token in orjson.dumps(passed_on[-1][-1]).decode()
    assert simulator.stats["violations"] == []
    # It keeps the list of models, since it could read it.
    cached = orjson.loads((tmp_path / ".codex" / "models_cache.json").read_bytes())
    assert "gpt-5.5" in [model["slug"] for model in cached["models"]]


def test_its_built_in_provider_runs_a_command_over_a_websocket(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, login: ChatGptLogin
):
    token = secrets.token_hex(8)
    run = CodexCli(tmp_path, gateway.url, built_in=True, login=login).ask(
        f"RUN[[echo {token} | tee ran.txt]]"
    )
    assert_ran_the_command(run, tmp_path, token)
    # One turn is prepared, and two are asked of the backend.
    wait_until(
        lambda: sum("dialect=websocket" in line for line in gateway.lines) == 3,
        "three turns are logged",
    )
    assert simulator.stats["responses_started"] == 2
    assert simulator.stats["violations"] == []
