"""`POST /v1/auth/refresh`: a fresh login for a client that wants one, but not without end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from tests.e2e.processes import log_in, running_gateway, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator

KEY = "local-secret"
PATH = "/v1/auth/refresh"


def stored(home: Path) -> dict[str, Any]:
    return orjson.loads((home / "auth.json").read_bytes())


def test_login_is_refreshed_saved_and_kept_secret(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator, expires_in_s=3600)
    before = stored(tmp_path)
    with running_gateway(tmp_path, simulator, "--workers", "2", "--api-key", KEY) as gateway:
        reply = httpx.post(gateway.url + PATH, headers={"authorization": f"Bearer {KEY}"})
        assert reply.status_code == 200
        after = stored(tmp_path)
        assert reply.json() == {
            "account_id": after["account_id"],
            "expires_at": after["expires_at"],
        }
        assert after["expires_at"] > before["expires_at"]
        for key in ("access_token", "refresh_token"):
            assert after[key] != before[key]
            assert after[key] not in reply.text
        assert simulator.stats["refreshes"] == 1


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}], ids=["no key", "wrong key"])
def test_local_key_is_needed(simulator: Simulator, tmp_path: Path, headers: dict[str, str]):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "1", "--api-key", KEY) as gateway:
        assert httpx.post(gateway.url + PATH, headers=headers).status_code == 401
    assert simulator.stats["refreshes"] == 0


async def test_hammering_does_not_spend_refresh_tokens(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "2") as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=20) as http:
            replies = [
                reply
                for _ in range(10)
                for reply in await asyncio.gather(*(http.post(PATH) for _ in range(5)))
            ]
            refused = [each for each in replies if each.status_code == 429]
            assert {each.status_code for each in replies} == {200, 429}
            assert simulator.stats["refreshes"] == 5
            for reply in refused:
                assert 1 <= int(reply.headers["retry-after"]) <= 60
                assert reply.json()["error"]["code"] == "rate_limit_exceeded"
            reply = await http.post(PATH, headers={"anthropic-version": "2023-06-01"})
            assert reply.json()["error"]["type"] == "rate_limit_error"
    assert simulator.stats["refresh_token_reuse"] == 0


def test_without_a_login_it_says_what_to_do(simulator: Simulator, tmp_path: Path):
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        reply = httpx.post(gateway.url + PATH)
        assert reply.status_code == 401
        assert "codexia login" in reply.json()["error"]["message"]


def test_authority_that_fails_is_no_fault_of_the_login(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        simulator.http.post(
            "/simulator/oauth-faults", json={"fault": {"kind": "500"}}
        ).raise_for_status()
        assert httpx.post(gateway.url + PATH).status_code == 503
        again = wait_until(
            lambda: (reply := httpx.post(gateway.url + PATH)).status_code == 200 and reply,
            "the next try",
        )
        assert again.json()["expires_at"]


def test_only_post_is_served(gateway: Gateway):
    assert httpx.get(gateway.url + PATH).status_code == 405
