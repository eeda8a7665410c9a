"""`GET /metrics`: what Prometheus reads of everything that happens, added up over the workers."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import wait_until
from tests.e2e.streams import DIALECTS, PATHS, body

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway, Simulator

KEY = "key-of-the-owner"


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_API_KEY": KEY}


def ask(gateway: Gateway, dialect: str, prompt: str = "SAY[[hi]]", **fields: object) -> int:
    reply = httpx.post(
        gateway.url + PATHS[dialect],
        json=body(dialect, prompt) | fields,
        headers={"x-api-key": KEY},
        trust_env=False,
        timeout=20,
    )
    return reply.status_code


def samples(gateway: Gateway) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    reply = httpx.get(
        f"{gateway.url}/metrics", headers={"authorization": f"Bearer {KEY}"}, trust_env=False
    )
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def value(gateway: Gateway, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples that have these labels."""
    return sum(
        number
        for (sample, having), number in samples(gateway).items()
        if sample == name and labels.items() <= dict(having).items()
    )


def test_metrics_need_the_local_key(gateway: Gateway):
    assert httpx.get(f"{gateway.url}/metrics", trust_env=False).status_code == 401


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_is_counted_with_its_times_and_tokens(gateway: Gateway, dialect: str):
    labels = {"dialect": dialect, "model": "gpt-5.5", "key": "default", "status": "200"}
    assert ask(gateway, dialect) == 200
    wait_until(lambda: value(gateway, "codexia_requests_total", **labels) == 1, "it is counted")
    assert value(gateway, "codexia_request_duration_seconds_count", dialect=dialect) == 1
    assert value(gateway, "codexia_ttft_seconds_count", dialect=dialect) == 1
    tokens = {"model": "gpt-5.5", "key": "default"}
    assert value(gateway, "codexia_tokens_total", kind="input", **tokens) > 0
    assert value(gateway, "codexia_tokens_total", kind="output", **tokens) > 0
    assert value(gateway, "codexia_queue_wait_seconds_count", priority="live") > 0


def test_what_clients_invent_makes_no_series(gateway: Gateway):
    for number in range(20):
        ask(gateway, "chat", model=f"invented-{number}")
        httpx.get(f"{gateway.url}/invented/{number}", trust_env=False)
    other = {"dialect": "chat", "model": "other"}
    wait_until(lambda: value(gateway, "codexia_requests_total", **other) == 20, "all are counted")
    assert not any("invented" in str(sample) for sample in samples(gateway))


def test_failures_of_the_backend_are_counted_by_kind(gateway: Gateway, simulator: Simulator):
    simulator.fault(kind="503")
    assert ask(gateway, "responses") == 200
    wait_until(
        lambda: value(gateway, "codexia_upstream_errors_total", kind="overloaded") == 1,
        "it is counted",
    )


def test_state_of_the_gateway_is_told(gateway: Gateway):
    now = {name: number for (name, labels), number in samples(gateway).items() if not labels}
    assert now["codexia_workers"] == 2
    assert now["codexia_generation"] == 1
    assert now["codexia_logged_in"] == 1
    assert now["codexia_config_revision"] > 0
    assert now["codexia_streams_open"] == 0
    assert now["codexia_requests_waiting"] == 0
    assert now["codexia_batch_items_running"] == 0


def test_refreshes_are_counted(gateway: Gateway):
    refresh = f"{gateway.url}/v1/auth/refresh"
    assert httpx.post(refresh, headers={"x-api-key": KEY}, trust_env=False).status_code == 200
    assert value(gateway, "codexia_refreshes_total", outcome="succeeded") == 1


def test_event_loops_are_watched(gateway: Gateway):
    ask(gateway, "chat")
    wait_until(
        lambda: value(gateway, "codexia_event_loop_lag_seconds_count") > 0, "it was measured"
    )


def test_nothing_that_is_counted_goes_back_when_workers_die(gateway: Gateway):
    def counted() -> float:
        return value(gateway, "codexia_requests_total", dialect="messages", status="200")

    before = counted()
    for _ in range(8):
        ask(gateway, "messages")
    wait_until(lambda: counted() == before + 8, "all are counted")
    old = gateway.worker_pids()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: len(new := gateway.worker_pids()) == 2 and not set(new) & set(old), "new ones are"
    )
    wait_until(lambda: _answers(gateway), "the new ones serve")
    wait_until(lambda: counted() == before + 9, "what the dead did is still counted")


def _answers(gateway: Gateway) -> bool:
    try:
        return ask(gateway, "messages") == 200
    except httpx.TransportError:
        return False
