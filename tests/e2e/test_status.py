"""`GET /v1/status`, and the plan's limit from the first 429 to the return of quota."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.processes import (
    Gateway,
    Simulator,
    log_in,
    running_gateway,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-local-canary-status"
LOCAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d")
USED_UP = {
    "limit_reached": True,
    "primary": {"used_percent": 100, "window_seconds": 18_000, "resets_in_seconds": 5000},
}


class CuriousGateway(Gateway):
    """One that may ask the usage endpoint as often as it likes."""

    program = (
        str(Path(__file__).with_name("serve_with.py")),
        "codexia_supervisor.account.GAP_S=0.1",
        "--",
    )


@pytest.fixture(scope="module")
def shared_home(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("status")
    log_in(home, simulator)
    return home


@pytest.fixture(scope="module")
def curious(simulator: Simulator, shared_home: Path) -> Iterator[Gateway]:
    with running_gateway(
        shared_home, simulator, "--workers", "2", kind=CuriousGateway, CODEXIA_API_KEY=KEY
    ) as gateway:
        yield gateway


@pytest.fixture
def gateway(simulator: Simulator, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of one's own, with the pace of life."""
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        yield gateway


def get_status(gateway: Gateway) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {KEY}"}
    reply = httpx.get(f"{gateway.url}/v1/status", headers=headers, timeout=20, trust_env=False)
    assert reply.status_code == 200, reply.text
    return reply.json()


def ask(gateway: Gateway, model: str = "gpt-5.5") -> httpx.Response:
    return httpx.post(
        f"{gateway.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {KEY}"},
        json={"model": model, "messages": [{"role": "user", "content": "hello"}]},
        timeout=20,
        trust_env=False,
    )


def change_plan(simulator: Simulator, **changes: Any) -> None:
    simulator.http.post("/simulator/plan", json=changes).raise_for_status()


def asked_of_backend(simulator: Simulator) -> int:
    return simulator.stats["requests"].get("POST /backend-api/codex/responses", 0)


def usage_polls(simulator: Simulator) -> int:
    return simulator.stats["requests"].get("GET /backend-api/wham/usage", 0)


def window(status: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in status["rate_limits"] if each["name"] == name)


def test_status_in_its_documented_form(curious: Gateway, simulator: Simulator):
    change_plan(
        simulator,
        primary={"used_percent": 3, "window_seconds": 18_000, "resets_in_seconds": 8658},
        secondary={"used_percent": 32, "window_seconds": 604_800, "resets_in_seconds": 111_779},
        account={"name": "Personal", "email": "user@example.com"},
    )
    status = wait_until(
        lambda: (
            (told := get_status(curious))["rate_limits"][0]["remaining_percent"] == 97.0 and told
        ),
        "the usage endpoint is asked",
    )
    assert set(status["token"]) == {"expires_at", "remaining_seconds", "expires_at_local"}
    assert 863_000 < status["token"]["remaining_seconds"] <= 864_000
    assert LOCAL.fullmatch(status["token"]["expires_at_local"])
    assert set(status["account"]) == {
        "name",
        "email",
        "structure",
        "plan",
        "has_active_subscription",
        "subscription_expires_at",
        "subscription_expires_at_local",
        "subscription_remaining_seconds",
    }
    assert (status["account"]["plan"], status["credits_balance"]) == ("chatgptpro", 0)
    weekly = window(status, "weekly")
    assert weekly["remaining_percent"] == 68.0
    assert int(weekly["reset_at"]) > 1_700_000_000
    assert LOCAL.fullmatch(weekly["reset_at_local"])
    assert 111_000 < weekly["reset_in_seconds"] <= 111_779
    assert status["warnings"] == []
    assert status["gateway"]["bind"] == curious.url.removeprefix("http://")
    assert (status["gateway"]["workers"], status["gateway"]["problems"]) == (2, [])


def test_status_needs_the_key_and_tells_no_secret(curious: Gateway, shared_home: Path):
    assert httpx.get(f"{curious.url}/v1/status", trust_env=False).status_code == 401
    told = str(get_status(curious))
    login = httpx.Response(200, content=(shared_home / "auth.json").read_bytes()).json()
    for secret in (KEY, login["access_token"], login["refresh_token"]):
        assert secret not in told


def test_further_limits_and_credits(curious: Gateway, simulator: Simulator):
    spark = {
        "limit_name": "GPT-Spark",
        "metered_feature": "codex_bengalfox",
        "primary": {"used_percent": 25, "window_seconds": 18_000, "resets_in_seconds": 60},
    }
    credit = {"has_credits": True, "unlimited": False, "balance": "12.5"}
    change_plan(simulator, additional=[spark], credits=credit)
    status = wait_until(
        lambda: (told := get_status(curious))["credits_balance"] == 12.5 and told, "credits"
    )
    assert window(status, "GPT-Spark 5h")["remaining_percent"] == 75.0
    assert status["credits"] == {"has_credits": True, "unlimited": False, "balance": 12.5}


def test_failures_of_the_backend_are_warnings(gateway: Gateway, simulator: Simulator):
    change_plan(simulator, fail={"usage": 503, "account": 403, "accounts": 500})
    status = get_status(gateway)
    assert status["warnings"] == [
        "account status unavailable: the backend answered 500",
        "rate limits unavailable: the backend answered 503",
    ]
    assert status["rate_limits"] == []
    # The token itself tells this much.
    assert status["account"]["email"] == "simulated@example.com"


def test_headers_of_replies_tell_what_is_left_between_two_questions(
    gateway: Gateway, simulator: Simulator
):
    assert window(get_status(gateway), "5h")["remaining_percent"] == 69.0
    polls = usage_polls(simulator)
    used = {"used_percent": 55, "window_seconds": 18_000, "resets_in_seconds": 60}
    change_plan(simulator, primary=used)
    assert ask(gateway).status_code == 200
    status = wait_until(
        lambda: window(told := get_status(gateway), "5h")["remaining_percent"] == 45.0 and told,
        "what the reply said is reported",
    )
    assert window(status, "weekly")["remaining_percent"] == 88.0
    assert usage_polls(simulator) == polls, "asked again within a minute"


def test_fleet_counts_and_replaced_models(gateway: Gateway, simulator: Simulator):
    change_plan(simulator, served_model="gpt-5.6-luna")
    for _ in range(2):
        ask(gateway)
    status = wait_until(
        lambda: (
            (told := get_status(gateway))["fleet"]["requests"] == {"chat": 2}
            and told["served_models"]
            and told["served_models"][0]["count"] == 2
            and told["fleet"]["streams_open"] == 0
            and told
        ),
        "both requests are told",
    )
    [notice] = status["served_models"]
    assert (notice["asked"], notice["served"]) == ("gpt-5.5", "gpt-5.6-luna")
    assert LOCAL.fullmatch(notice["last_at_local"])
    assert status["fleet"]["input_tokens"] > 0
    assert status["fleet"]["output_tokens"] > 0


def test_open_streams_are_counted_and_a_dead_workers_are_not(
    gateway: Gateway, simulator: Simulator
):
    body = {
        "model": "gpt-5.5",
        "stream": True,
        "messages": [{"role": "user", "content": "STREAM[[deltas=40]] FAULT[[stall after=12]]"}],
    }
    url = f"{gateway.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, timeout=20, trust_env=False) as stream:
        assert stream.status_code == 200
        wait_until(lambda: get_status(gateway)["fleet"]["streams_open"] == 1, "one stream")
        [worker] = gateway.worker_pids()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: gateway.worker_pids() not in ([], [worker]), "another worker")
    wait_until(lambda: get_status(gateway)["fleet"]["streams_open"] == 0, "no stream")


def test_used_up_plan_costs_no_more_calls_until_quota_returns(
    curious: Gateway, simulator: Simulator
):
    change_plan(simulator, **USED_UP)
    first = ask(curious)
    assert first.status_code == 429
    wait_until(
        lambda: (get_status(curious)["limit"] or {"model": "-"})["model"] is None,
        "the usage endpoint confirms that it is everybody's limit",
    )
    calls = asked_of_backend(simulator)
    again, other = ask(curious), ask(curious, "gpt-6-sol")
    assert asked_of_backend(simulator) == calls

    for refused in (again, other):
        assert refused.status_code == 429
        assert first.json()["error"].keys() == refused.json()["error"].keys()
        assert refused.json()["error"]["type"] == "usage_limit_reached"
        assert refused.headers["x-should-retry"] == "false"
        assert 4900 < int(refused.headers["retry-after"]) <= 5000

    status = get_status(curious)
    error = again.json()["error"]
    assert error["resets_at"] == first.json()["error"]["resets_at"]
    assert error["resets_at"] == status["limit"]["resets_at"]
    assert str(error["resets_at"]) == window(status, "5h")["reset_at"]
    assert status["limit"]["resets_at_local"] in error["message"]
    assert window(status, "5h")["remaining_percent"] == 0.0

    change_plan(simulator, limit_reached=False)
    wait_until(lambda: get_status(curious)["limit"] is None, "quota is back")
    wait_until(lambda: ask(curious).status_code == 200, "requests go through", 5)


def test_plan_that_is_used_up_within_a_stream_is_known_after_it(
    curious: Gateway, simulator: Simulator
):
    prompt = "STREAM[[deltas=30 gap_ms=10]] FAULT[[failed after=20 code=usage_limit_reached]]"
    body = {
        "model": "gpt-5.5",
        "stream": True,
        "messages": [{"role": "user", "content": prompt}],
    }
    url, headers = f"{curious.url}/v1/chat/completions", {"authorization": f"Bearer {KEY}"}
    with httpx.stream("POST", url, json=body, headers=headers, trust_env=False) as reply:
        lines = reply.iter_lines()
        assert '"role":"assistant"' in next(lines)
        change_plan(simulator, **USED_UP)
        assert '"code":"usage_limit_reached"' in "".join(lines)
    wait_until(lambda: get_status(curious)["limit"], "the limit")
    calls = asked_of_backend(simulator)
    assert ask(curious).status_code == 429
    assert asked_of_backend(simulator) == calls
    change_plan(simulator, limit_reached=False)
    wait_until(lambda: get_status(curious)["limit"] is None, "quota is back")


def test_limit_of_one_model_leaves_the_others_alone(curious: Gateway, simulator: Simulator):
    spark = {**USED_UP, "limit_name": "Luna", "metered_feature": "codex_luna"}
    change_plan(simulator, additional=[{**spark, "model": "gpt-6-luna"}])
    assert ask(curious, "gpt-6-luna").status_code == 429
    limit = wait_until(lambda: get_status(curious)["limit"], "the limit")
    assert limit["model"] == "gpt-6-luna"
    calls = asked_of_backend(simulator)
    assert ask(curious, "gpt-6-luna").status_code == 429
    assert asked_of_backend(simulator) == calls
    assert ask(curious).status_code == 200
    change_plan(simulator, additional=[])
    wait_until(lambda: get_status(curious)["limit"] is None, "quota is back")


def test_messages_dialect_says_the_same_of_a_used_up_plan(curious: Gateway, simulator: Simulator):
    change_plan(simulator, **USED_UP)
    body = {"model": "gpt-5.5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    url = f"{curious.url}/v1/messages"

    def refusal() -> dict[str, Any]:
        reply = httpx.post(url, json=body, headers={"x-api-key": KEY}, trust_env=False)
        assert reply.status_code == 429
        return reply.json()["error"]

    passed = refusal()
    wait_until(lambda: get_status(curious)["limit"], "the limit")
    assert refusal()["details"]["resets_at"] == passed["details"]["resets_at"]
    assert passed["type"] == "rate_limit_error"
    assert LOCAL.search(passed["message"])
    change_plan(simulator, limit_reached=False)
    wait_until(lambda: get_status(curious)["limit"] is None, "quota is back")
