"""`/metrics` at an address of its own: without a key, and with nothing else to be had there."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.processes import Gateway, log_in, running_gateway, wait_until, write_config
from tests.e2e.streams import PATHS, body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

KEY = "key-of-the-owner"
CONNECTIONS = 40
"""More than are served at once."""


@pytest.fixture(scope="module")
def address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(scope="module")
def gateway(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory, address: str
) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    log_in(home, simulator)
    write_config(home, metrics_bind=address, api_key=KEY, workers=1)
    with running_gateway(home, simulator) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def metrics(gateway: Gateway, address: str) -> httpx.Client:
    return httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=20)


def test_it_tells_what_the_gateway_tells_with_a_key(gateway: Gateway, metrics: httpx.Client):
    headers = {"x-api-key": KEY}
    request = body("chat", "SAY[[hi]]", stream=False)
    asked = httpx.post(gateway.url + PATHS["chat"], json=request, headers=headers, trust_env=False)
    assert asked.status_code == 200
    counted = (
        'codexia_requests_total{dialect="chat",key="default",model="gpt-5.5",status="200"} 1.0'
    )
    wait_until(lambda: counted in metrics.get("/metrics").text, "it is counted")
    reply = metrics.get("/metrics")
    with_key = httpx.get(f"{gateway.url}/metrics", headers=headers, trust_env=False)
    assert reply.headers["content-type"] == with_key.headers["content-type"]
    assert [line for line in reply.text.splitlines() if line.startswith("# TYPE")] == [
        line for line in with_key.text.splitlines() if line.startswith("# TYPE")
    ]


def test_head_has_no_body(metrics: httpx.Client):
    reply = metrics.head("/metrics")
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/status", "/refresh", "/metrics/x"])
def test_nothing_else_is_served(metrics: httpx.Client, path: str):
    assert metrics.get(path).status_code == 404


def test_only_reading_is_served(metrics: httpx.Client):
    assert metrics.post("/metrics").status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=["name", "longer name", "origin", "site"],
)
def test_web_pages_are_refused(metrics: httpx.Client, headers: dict[str, str]):
    assert metrics.get("/metrics", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
        b"\x00\x01\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 100_000,
    ],
    ids=["no host", "two hosts", "not HTTP", "endless head"],
)
def test_odd_requests_get_nothing(metrics: httpx.Client, address: str, request_bytes: bytes):
    with socket.create_connection(tuple(address.split(":")), timeout=15) as client:  # pyright: ignore[reportArgumentType]
        client.sendall(request_bytes)
        try:
            said = client.recv(100)
        except ConnectionResetError:
            said = b""
    assert b" 200 " not in said
    assert metrics.get("/metrics").status_code == 200


def test_idle_connections_do_not_pile_up(metrics: httpx.Client, address: str):
    host, _, port = address.partition(":")
    idle = [socket.create_connection((host, int(port)), timeout=15) for _ in range(CONNECTIONS)]
    try:
        # What is above the limit is closed at once, and gives no place up.
        assert idle[-1].recv(1) == b""
    finally:
        for each in idle:
            each.close()
    wait_until(lambda: _status(metrics) == 200, "there is room again")


def _status(metrics: httpx.Client) -> int:
    try:
        return metrics.get("/metrics").status_code
    except httpx.TransportError:
        return 0


def test_taken_address_is_told_and_costs_nothing_else(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write_config(tmp_path, metrics_bind=f"127.0.0.1:{taken.getsockname()[1]}", workers=1)
        with running_gateway(tmp_path, simulator) as gateway:
            [problem] = gateway.status()["problems"]
            assert "metrics_bind" in problem
            assert httpx.get(f"{gateway.url}/v1/models", trust_env=False).status_code == 200
            taken.close()
            wait_until(lambda: not gateway.status()["problems"], "the address is free")
