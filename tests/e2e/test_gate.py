"""Who may talk to the port, over raw sockets."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import aiohttp
import httpx
import orjson
import pytest

from tests.e2e.processes import Process, log_in, running_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator

CHAT = b'{"model":"gpt-5.5","messages":[{"role":"user","content":"SAY[[hi]]"}]}'


@pytest.fixture(scope="module")
def guarded(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with local keys and one allowed web origin."""
    home = tmp_path_factory.mktemp("guarded")
    log_in(home, simulator)
    with running_gateway(
        home,
        simulator,
        "--workers",
        "1",
        CODEXIA_API_KEY="local-secret",
        CODEXIA_ALLOWED_ORIGINS="https://ui.example",
        CODEXIA_ALLOWED_HOSTS="gateway.example",
    ) as gateway:
        yield gateway


def raw(url: str, request: bytes) -> bytes:
    """Send bytes, return the reply's head."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        reply = b""
        while b"\r\n\r\n" not in reply:
            chunk = connection.recv(4096)
            if not chunk:
                break
            reply += chunk
    return reply


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"127.0.0.1", b"200"),
        (b"127.0.0.1:14550", b"200"),
        (b"localhost:1", b"200"),
        (b"LOCALHOST", b"200"),
        (b"[::1]:14550", b"200"),
        (b"gateway.example", b"200"),
        (b"evil.example", b"403"),
        (b"127.0.0.1.evil.example", b"403"),
        (b"192.168.1.5", b"403"),
        (b"localhost/evil", b"40"),
        (b"localhost#x", b"40"),
        (b"a@localhost", b"40"),
        (b"", b"403"),
    ],
)
def test_host_must_be_ours(guarded: Gateway, host: bytes, status: bytes):
    reply = raw(guarded.url, b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert reply.split(b" ")[1].startswith(status), reply


def test_request_without_host_is_refused(guarded: Gateway):
    reply = raw(guarded.url, b"GET /health HTTP/1.1\r\n\r\n")
    assert reply.split(b" ")[1] in {b"400", b"403"}, reply


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "https://ui.example"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "none"}, 200),
    ],
)
def test_web_origin_must_be_allowed(guarded: Gateway, headers: dict[str, str], status: int):
    reply = httpx.get(f"{guarded.url}/health", headers=headers)
    assert reply.status_code == status
    allowed = reply.headers.get("access-control-allow-origin")
    assert allowed == (headers.get("origin") if status == 200 else None)


def test_preflight_is_answered_for_an_allowed_origin_only(guarded: Gateway):
    def preflight(origin: str) -> httpx.Response:
        headers = {"origin": origin, "access-control-request-headers": "x-api-key"}
        return httpx.options(f"{guarded.url}/v1/messages", headers=headers)

    assert preflight("https://ui.example").headers["access-control-allow-headers"] == "x-api-key"
    assert preflight("https://evil.example").status_code == 403


def test_form_post_of_a_web_page_is_refused(guarded: Gateway):
    """A browser sends text/plain across sites without asking first."""
    headers = {"content-type": "text/plain", "authorization": "Bearer local-secret"}
    reply = httpx.post(f"{guarded.url}/v1/chat/completions", content=CHAT, headers=headers)
    assert reply.status_code == 415


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer local-secret"}, 200),
        ({"authorization": "bearer local-secret"}, 200),
        ({"x-api-key": "local-secret"}, 200),
        ({"x-api-key": "stale", "authorization": "Bearer local-secret"}, 200),
        ({"x-api-key": "local-secret", "authorization": "Bearer stale"}, 200),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "local-secret"}, 401),
        ({"x-api-key": ""}, 401),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
def test_either_header_may_hold_the_key(
    guarded: Gateway, path: str, headers: dict[str, str], status: int
):
    headers = {**headers, "content-type": "application/json"}
    if path == "/v1/models":
        reply = httpx.get(guarded.url + path, headers=headers)
    else:
        reply = httpx.post(guarded.url + path, content=CHAT, headers=headers)
    assert reply.status_code == status
    if status == 401:
        assert reply.json()["error"]["code"] == "invalid_api_key"


def test_wrong_key_has_the_anthropic_envelope_for_anthropic_clients(guarded: Gateway):
    reply = httpx.post(f"{guarded.url}/v1/messages", json={})
    assert reply.status_code == 401
    assert reply.json()["error"]["type"] == "authentication_error"
    assert reply.json()["request_id"] == reply.headers["request-id"]


@pytest.mark.parametrize("path", ["/health", "/", "/api/hello"])
def test_preflights_of_clients_need_no_key(guarded: Gateway, path: str):
    assert httpx.head(guarded.url + path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 405),
        ("GET", "/v1/embeddings", 404),
        ("DELETE", "/v1/models", 405),
        ("GET", "/v1/messages", 405),
        ("GET", "/v1/messages/", 404),
    ],
)
def test_what_is_not_served_is_a_json_error(gateway: Gateway, method: str, path: str, status: int):
    reply = httpx.request(method, gateway.url + path)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]
    assert reply.headers["x-request-id"]


UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}
KEY = {"authorization": "Bearer local-secret"}


def upgrade(url: str, **headers: str) -> bytes:
    """Ask for a WebSocket over a raw socket, return the reply's head."""
    fields = {"host": "localhost", **UPGRADE, **headers}
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return raw(url, "\r\n".join(["GET /v1/responses HTTP/1.1", *lines, "", ""]).encode())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (KEY, b"101"),
        ({"x-api-key": "local-secret"}, b"101"),
        ({**KEY, "origin": "https://ui.example"}, b"101"),
        ({}, b"401"),
        ({"authorization": "Bearer wrong"}, b"401"),
        ({**KEY, "host": "evil.example"}, b"403"),
        ({**KEY, "host": ""}, b"403"),
        ({**KEY, "origin": "https://evil.example"}, b"403"),
        ({**KEY, "origin": "null"}, b"403"),
        ({**KEY, "sec-fetch-site": "cross-site"}, b"403"),
        ({**KEY, "sec-websocket-key": ""}, b"400"),
        ({**KEY, "connection": ""}, b"426"),
    ],
)
def test_upgrade_passes_the_same_gate(guarded: Gateway, headers: dict[str, str], status: bytes):
    reply = upgrade(guarded.url, **headers)
    assert reply.split(b" ")[1] == status, reply
    if status in {b"401", b"403"}:
        assert b"x-request-id: req_" in reply
        assert b"content-type: application/json" in reply


async def test_refused_upgrade_tells_why(guarded: Gateway):
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{guarded.url}/v1/responses", headers=UPGRADE) as reply:
            assert reply.status == 401
            assert orjson.loads(await reply.read())["error"]["code"] == "invalid_api_key"
        nowhere = f"{guarded.url}/v1/chat/completions"
        async with http.get(nowhere, headers={**UPGRADE, **KEY}) as reply:
            assert reply.status == 404
            assert orjson.loads(await reply.read())["error"]["code"] == "not_found"


def test_open_bind_without_a_key_is_refused(simulator: Simulator, tmp_path: Path):
    process = Process(
        [sys.executable, "-m", "codexia", "serve", "--bind", "0.0.0.0:0"],
        {**os.environ, "CODEXIA_HOME": str(tmp_path / "open")},
    )
    process.line_with("set an api_key first")
    assert process.popen.wait(10) == os.EX_CONFIG
