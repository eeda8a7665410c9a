"""A hostile web page: rebound names, forged addresses, simple requests, other origins.

The plain cases of Host and Origin are in `test_gate.py`; these are the tricks around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.raw_http import QUESTION, ask, get

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway, Simulator

PAGE = b"origin: https://ui.example"
RESPONSES = "POST /backend-api/codex/responses"


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {
        "CODEXIA_ALLOWED_ORIGINS": "https://ui.example",
        "CODEXIA_ALLOWED_HOSTS": "gateway.example",
    }


@pytest.mark.parametrize(
    "host",
    [
        b"localhost.",
        b"localhost.evil.example",
        b"evil.example:14550",
        b"gateway.example.evil.example",
        b"localhost:",
        b"localhost:80:80",
        b"localhost:x",
        b"localhost:123456",
        b"localhost@evil.example",
        b"evil.example@localhost",
        b"user:pass@localhost",
        b"localhost, evil.example",
        b"localhost evil.example",
        b"localhost\\evil",
        b"localhost?evil",
        b"localhost%00.evil.example",
        b"localhost;evil",
        b"http://localhost",
        b"//localhost",
        b"[::1",
        b"::1",
        b"[::1]]",
        b"[::1%25lo]",
        b"[::ffff:127.0.0.1]",
        b"[v1.fe]",
        b"2130706433",
        b"0x7f.1",
        b"127.1",
        b"127.0.0.2",
        b"0.0.0.0",
        b"\xd1\x96ocalhost",
        b"a" * 5000,
    ],
)
def test_host_that_is_not_exactly_ours_is_refused(gateway: Gateway, host: bytes):
    assert ask(gateway.url, get(host=host)).statuses in ([400], [403])


@pytest.mark.parametrize("hosts", [(b"localhost", b"evil.example"), (b"localhost", b"localhost")])
def test_two_hosts_are_refused_in_any_order(gateway: Gateway, hosts: tuple[bytes, bytes]):
    for first, second in (hosts, hosts[::-1]):
        assert ask(gateway.url, get(b"/health", b"host: " + second, host=first)).statuses == [400]


def test_address_in_the_target_does_not_stand_in_for_the_host(gateway: Gateway):
    """What a proxy is asked: only the Host header decides, whatever the target names."""
    for target, host, status in (
        (b"http://localhost/health", b"evil.example", 403),
        (b"http://evil.example/health", b"evil.example", 403),
        (b"http://localhost/health", b"localhost", 200),
    ):
        assert ask(gateway.url, get(target, host=host)).statuses == [status]
    assert ask(gateway.url, get(b"http://evil.example/nowhere")).statuses == [404]
    assert ask(
        gateway.url, get().replace(b"GET /health", b"CONNECT evil.example:443")
    ).statuses == [404]


@pytest.mark.parametrize(
    "origin",
    [
        b"https://ui.example.evil.example",
        b"https://ui.example:8443",
        b"http://ui.example",
        b"https://UI.example",
        b"https://ui.example/",
        b"https://ui.example evil",
        b"https://ui.example, https://evil.example",
        b"https://user@ui.example",
        b"null",
        b"NULL",
        b"file://",
        b"chrome-extension://abcdef",
        b"http://localhost",
        b"*",
        b"\xff",
    ],
)
def test_origin_that_is_not_exactly_configured_is_refused(gateway: Gateway, origin: bytes):
    reply = ask(gateway.url, get(b"/health", b"origin: " + origin))
    assert reply.statuses == [403]
    assert b"access-control-" not in reply.head


def test_two_origins_are_refused(gateway: Gateway):
    assert ask(gateway.url, get(b"/health", PAGE, b"origin: https://evil.example")).statuses == [
        400
    ]


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"Cross-Site"])
def test_request_that_a_browser_calls_foreign_is_refused(gateway: Gateway, site: bytes):
    assert ask(gateway.url, get(b"/health", b"sec-fetch-site: " + site)).statuses == [403]
    assert ask(gateway.url, get(b"/health", b"sec-fetch-site: " + site, PAGE)).statuses == [200]


@pytest.mark.parametrize(
    "kind",
    [
        b"text/plain",
        b"text/plain; application/json",
        b"text/plain;charset=application/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=application/json",
        b"",
    ],
)
def test_request_that_needs_no_preflight_costs_nothing(
    gateway: Gateway, simulator: Simulator, kind: bytes
):
    """A browser sends these types to any address without asking first."""
    head = (
        b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-type: %b\r\n"
        b"content-length: %d\r\n\r\n" % (kind, len(QUESTION))
    )
    assert ask(gateway.url, head + QUESTION).statuses == [415]
    assert RESPONSES not in simulator.stats["requests"]


def preflight(*headers: bytes) -> bytes:
    return get(b"/v1/messages", *headers).replace(b"GET", b"OPTIONS", 1)


def test_preflight_tells_what_an_allowed_origin_may_do(gateway: Gateway):
    asked = (
        b"access-control-request-method: POST",
        b"access-control-request-headers: x-api-key, content-type",
    )
    head = ask(gateway.url, preflight(PAGE, *asked)).head
    assert head.startswith(b"http/1.1 204")
    for line in (
        b"access-control-allow-origin: https://ui.example",
        b"access-control-allow-methods: get, post, delete",
        b"access-control-allow-headers: x-api-key, content-type",
        b"vary: origin",
    ):
        assert line in head
    assert b"access-control-allow-credentials" not in head
    assert b"private-network" not in head


def test_preflight_for_this_host_is_answered_where_chrome_asks(gateway: Gateway):
    asked = (
        b"access-control-request-method: POST",
        b"access-control-request-private-network: true",
    )
    head = ask(gateway.url, preflight(PAGE, *asked)).head
    assert b"access-control-allow-private-network: true" in head
    foreign = ask(gateway.url, preflight(b"origin: https://evil.example", *asked))
    assert foreign.statuses == [403]
    assert b"access-control-" not in foreign.head


def test_answers_vary_by_origin_whether_it_was_there_or_not(gateway: Gateway):
    """Or a cache gives a page the answer that has no CORS headers, or those of another page."""
    for headers in ((), (PAGE,), (b"origin: https://evil.example",)):
        assert ask(gateway.url, get(b"/v1/models", *headers)).head.count(b"vary: origin") == 1


def test_errors_too_can_be_read_by_an_allowed_origin_only(gateway: Gateway):
    for path in (b"/nowhere", b"/v1/messages"):
        assert (
            b"access-control-allow-origin: https://ui.example"
            in ask(gateway.url, get(path, PAGE)).head
        )
        assert b"access-control" not in ask(gateway.url, get(path)).head
