"""One line a request, whatever becomes of it, as text or as JSON."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from tests.e2e.processes import log_in, running_gateway, wait_until
from tests.e2e.streams import body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

KEY = "key-of-the-owner"


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("access")
    log_in(home, simulator)
    flags = ("--workers", "1", "-v", "--log-format", "json")
    with running_gateway(home, simulator, *flags, CODEXIA_API_KEY=KEY) as gateway:
        yield gateway


def call(gateway: Gateway, method: str, path: str, **request: Any) -> httpx.Response:
    headers = {"x-api-key": KEY, **request.pop("headers", {})}
    return httpx.request(
        method, gateway.url + path, headers=headers, trust_env=False, timeout=20, **request
    )


def line_of(gateway: Gateway, reply: httpx.Response) -> dict[str, Any]:
    """Return the line of a request, by the id that its client was told."""
    request_id = reply.headers["x-request-id"]

    def found() -> dict[str, Any] | None:
        lines = [line for line in gateway.lines if request_id in line]
        assert len(lines) < 2
        return orjson.loads(lines[0]) if lines else None

    return wait_until(found, "it is logged")


def test_streamed_answer_is_told_with_its_times_tokens_and_the_ids_of_both_sides(gateway: Gateway):
    reply = call(gateway, "POST", "/v1/messages", json=body("messages", "SAY[[hi]]"))
    line = line_of(gateway, reply)
    assert line["logger"] == "codexia.access"
    assert (line["method"], line["path"]) == ("POST", "/v1/messages")
    assert (line["dialect"], line["model"], line["key"]) == ("messages", "gpt-5.5", "default")
    assert (line["status"], line["outcome"]) == (200, "ok")
    assert 0 < line["ttft_ms"] <= line["total_ms"]
    assert line["input_tokens"] > 0
    assert line["output_tokens"] == 1
    assert re.fullmatch(r"[0-9a-f]{32}", line["upstream_id"])


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/v1/models", {"x-api-key": "wrong"}, 401, "invalid_api_key"),
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("DELETE", "/v1/models", {}, 405, "MethodNotAllowed"),
        ("GET", "/v1/models", {"host": "evil.example"}, 403, "Forbidden"),
        ("GET", "/v1/models", {}, 200, None),
        ("GET", "/v1/status", {}, 200, None),
        ("GET", "/metrics", {}, 200, None),
        ("GET", "/health", {}, 200, None),
    ],
)
def test_every_request_has_a_line(
    gateway: Gateway, method: str, path: str, headers: dict[str, str], status: int, code: str | None
):
    line = line_of(gateway, call(gateway, method, path, headers=headers))
    assert (line["method"], line["path"], line["status"]) == (method, path, status)
    assert line.get("code") == code


def test_refused_request_is_told_with_the_code_of_its_error(gateway: Gateway):
    reply = call(gateway, "POST", "/v1/chat/completions", json={"model": "gpt-5.5"})
    line = line_of(gateway, reply)
    assert (line["dialect"], line["status"], line["outcome"]) == ("chat", 400, "refused")


def test_client_that_left_is_told(gateway: Gateway):
    prompt = "STREAM[[deltas=2000 gap_ms=10]]"
    request = {"json": body("chat", prompt), "headers": {"x-api-key": KEY}}
    with (
        httpx.Client(base_url=gateway.url, trust_env=False) as http,
        http.stream("POST", "/v1/chat/completions", **request) as reply,
    ):
        next(reply.iter_bytes())
    line = line_of(gateway, reply)
    assert (line["status"], line["outcome"]) == (200, "client gone")


def test_every_line_of_the_log_is_json_and_none_has_a_prompt_or_a_key(gateway: Gateway):
    call(gateway, "POST", "/v1/responses", json=body("responses", "SAY[[a secret prompt]]"))
    call(gateway, "GET", "/v1/models?key=in-the-query")
    path = "/%0a{%22logger%22:%22forged%22}"
    forged = line_of(gateway, call(gateway, "GET", path))
    assert forged["path"] == '/\n{"logger":"forged"}'
    [worker] = gateway.worker_pids()
    os.kill(worker, signal.SIGKILL)
    gateway.line_with("_granian")
    wait_until(lambda: gateway.worker_pids() not in ([], [worker]), "there is another worker")
    call(gateway, "GET", "/health")
    logged = [line for line in gateway.lines if "listening on" not in line]
    assert len(logged) > 5
    for line in logged:
        assert orjson.loads(line).keys() >= {"time", "level", "logger", "message"}
    assert not any(
        secret in line for line in logged for secret in ("secret prompt", KEY, "in-the-query")
    )
