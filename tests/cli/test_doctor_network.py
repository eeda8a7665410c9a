"""`codexia doctor` about servers that are broken, each for real."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command import codexia
from tests.cli.doctor_report import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.doctor_report import Doctor
    from tests.e2e.processes import Simulator


@contextmanager
def server(status: int, headers: dict[str, str], body: bytes = b"{}") -> Iterator[str]:
    """A server of one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_cloudflare_page(doctor: Doctor):
    with server(403, {"content-type": "text/html"}, b"<html>Just a moment...</html>") as url:
        state, found, advice = doctor.finding("backend", CODEXIA_UPSTREAM_BASE_URL=url)
        assert "account" not in doctor.states(CODEXIA_UPSTREAM_BASE_URL=url)
    assert (state, "Cloudflare" in found) == ("broken", True)
    for hint in ("user_agent", "regions", "VPN"):
        assert hint in advice


def test_account_that_may_not_use_codex(doctor: Doctor):
    denied = b'{"detail": "not in your workspace"}'
    with server(403, {"content-type": "application/json"}, denied) as url:
        state, _, advice = doctor.finding("account", CODEXIA_UPSTREAM_BASE_URL=url)
    assert (state, "workspace" in advice) == ("broken", True)


def test_token_that_the_backend_refuses(doctor: Doctor, simulator: Simulator):
    simulator.expire_tokens()
    assert doctor.finding("account")[0] == "warning"


@pytest.mark.parametrize(("ahead_s", "word"), [(7200, "behind"), (-7200, "ahead")])
def test_clock_that_is_wrong(doctor: Doctor, ahead_s: int, word: str):
    date = formatdate(time.time() + ahead_s, usegmt=True)
    with server(200, {"date": date}) as url:
        there = {"CODEXIA_UPSTREAM_BASE_URL": url, "CODEXIA_OAUTH_ISSUER": url}
        state, found, advice = doctor.finding("clock", **there)
    assert state == "warning"
    assert re.search(rf"clock is (2h 00m|1h 59m) {word}", found)
    assert "set-ntp" in advice


def test_servers_that_cannot_be_reached(doctor: Doctor):
    nowhere = f"http://127.0.0.1:{free_port()}"
    there = {"CODEXIA_UPSTREAM_BASE_URL": nowhere, "CODEXIA_OAUTH_ISSUER": nowhere}
    for name in ("backend", "login server"):
        state, found, _ = doctor.finding(name, **there)
        assert (state, found.endswith(": no connection")) == ("broken", True)


def test_name_that_is_not_known(doctor: Doctor):
    url = "http://no-such-host.invalid"
    state, found, advice = doctor.finding("backend", CODEXIA_UPSTREAM_BASE_URL=url)
    assert (state, "DNS" in advice) == ("broken", True)
    assert "no-such-host.invalid is not known" in found or "takes longer" in found


def test_server_that_says_nothing_does_not_hold_it_up(doctor: Doctor):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        state, found, _ = doctor.finding("backend", CODEXIA_UPSTREAM_BASE_URL=url)
    assert (state, "no answer within 5 s" in found) == ("broken", True)
    assert time.monotonic() - began < 15


def test_server_without_tls(doctor: Doctor, simulator: Simulator):
    url = simulator.url.replace("http:", "https:")
    state, found, _ = doctor.finding("backend", CODEXIA_UPSTREAM_BASE_URL=url)
    assert (state, "TLS" in found) == ("broken", True)


def test_proxy_is_named_without_its_password(doctor: Doctor):
    proxy = f"http://somebody:proxy-canary@127.0.0.1:{free_port()}"
    url = "http://codexia.invalid"
    done = codexia(
        "doctor",
        **{
            **doctor.environment,
            "CODEXIA_UPSTREAM_BASE_URL": url,
            "HTTP_PROXY": proxy,
            "http_proxy": proxy,
        },
    )
    [line] = [line for line in done.stdout.splitlines() if " backend " in line]
    assert "by the proxy 127.0.0.1:" in line
    assert "proxy-canary" not in done.stdout
