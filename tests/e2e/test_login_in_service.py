"""Tokens that expire, logins that come late, while requests are being served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anthropic
import httpx
import openai
import pytest

from tests.e2e.processes import log_in, running_gateway, wait_until
from tests.e2e.streams import DIALECTS, PATHS, body, receive, session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator


async def test_fifty_requests_with_an_expired_token_cause_one_refresh(
    gateway: Gateway, simulator: Simulator
):
    simulator.expire_tokens()
    async with session() as http:
        seen = await asyncio.gather(
            *(receive(http, gateway.url, DIALECTS[n % 3], "SAY[[fresh]]") for n in range(50))
        )
    assert [each for each in seen if not each.whole or each.text != "fresh"] == []
    assert simulator.stats["refresh_token_reuse"] == 0
    assert simulator.stats["refreshes"] == 1


async def test_token_that_ran_out_by_the_clock_is_refreshed(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator, expires_in_s=1)
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        async with session() as http:
            seen = await receive(http, gateway.url, "messages", "SAY[[fresh]]")
    assert seen.text == "fresh"
    assert simulator.stats["refresh_token_reuse"] == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_a_login_each_dialect_says_what_to_do(
    simulator: Simulator, tmp_path: Path, dialect: str
):
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        assert any("codexia login" in line for line in gateway.lines)
        if dialect == "messages":
            client = anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0)
            with client, pytest.raises(anthropic.AuthenticationError, match="codexia login"):
                client.messages.create(**{**body(dialect, "hi"), "stream": False})
        else:
            reply = httpx.post(gateway.url + PATHS[dialect], json=body(dialect, "hi"))
            assert reply.status_code == 401
            assert "codexia login" in reply.json()["error"]["message"]
            assert reply.headers["x-should-retry"] == "false"


def test_later_login_needs_no_restart(simulator: Simulator, tmp_path: Path):
    with running_gateway(tmp_path, simulator, "--workers", "2") as gateway:
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0)
        with client:
            with pytest.raises(openai.AuthenticationError):
                client.responses.create(model="gpt-5.5", input="SAY[[hi]]")
            log_in(tmp_path, simulator)
            wait_until(lambda: gateway.status()["logged_in"], "the login is taken up")

            def answers() -> bool:
                try:
                    return (
                        client.responses.create(model="gpt-5.5", input="SAY[[hi]]").output_text
                        == "hi"
                    )
                except openai.AuthenticationError:
                    return False

            wait_until(answers, "the workers have the login")


def test_dead_refresh_token_is_sent_once_and_explained(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "2") as gateway:
        simulator.http.post(
            "/simulator/oauth-faults", json={"fault": {"kind": "refresh_token_expired"}, "count": 9}
        ).raise_for_status()
        simulator.expire_tokens()
        for _ in range(3):
            reply = httpx.post(gateway.url + PATHS["chat"], json=body("chat", "hi"))
            assert reply.status_code == 401
            assert "codexia login" in reply.json()["error"]["message"]
        assert simulator.stats["requests"].get("POST /oauth/token") == 1
        log_in(tmp_path, simulator)
        wait_until(
            lambda: (
                httpx.post(gateway.url + PATHS["chat"], json=body("chat", "hi")).status_code == 200
            ),
            "a new login heals",
        )
    simulator.http.post("/simulator/reset").raise_for_status()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_denial_causes_no_refresh(gateway: Gateway, simulator: Simulator, dialect: str):
    ask = {"url": gateway.url + PATHS[dialect], "json": body(dialect, "hi")}
    assert httpx.post(**ask).status_code == 200  # after the refresh that earlier tests may cause
    simulator.http.post("/simulator/reset").raise_for_status()
    simulator.fault(kind="403")
    assert httpx.post(**ask).status_code == 403
    assert simulator.stats["requests"].get("POST /oauth/token") is None
