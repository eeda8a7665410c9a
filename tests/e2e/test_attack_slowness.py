"""Clients that hold their place by sending next to nothing, and those that never read."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from codexia_workers.server import HEAD_TIMEOUT_MS
from tests.e2e import serve_impatient
from tests.e2e.processes import Gateway, log_in, running_gateway
from tests.e2e.raw_http import Connection, Reply, ask, get, post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Simulator

BODY_TIMEOUT_S = 1.0
DRIP_S = 0.1


class ImpatientGateway(Gateway):
    program = (str(Path(__file__).with_name("serve_impatient.py")),)


@pytest.fixture(scope="module")
def impatient(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("impatient")
    log_in(home, simulator)
    with running_gateway(
        home, simulator, kind=ImpatientGateway, CODEXIA_BODY_TIMEOUT_S=str(BODY_TIMEOUT_S)
    ) as gateway:
        yield gateway


def drip(connection: Connection, content: bytes, longest_s: float) -> float:
    """Send byte by byte until the other side closes; return how long that took."""
    started, pause = time.monotonic(), threading.Event()
    for byte in content:
        connection.send(bytes([byte]))
        pause.wait(DRIP_S)
        if time.monotonic() - started > longest_s:
            break
    return time.monotonic() - started


def test_head_is_waited_for_half_a_minute():
    assert HEAD_TIMEOUT_MS == 30_000


@pytest.mark.parametrize("begun", [b"", b"GET", b"GET /health HTTP/1.1\r\nhost: local"])
def test_unfinished_head_ends_the_connection(impatient: Gateway, begun: bytes):
    with Connection(impatient.url) as connection:
        connection.send(begun)
        started = time.monotonic()
        reply = connection.reply()
    assert reply == Reply(b"", closed=True)
    assert time.monotonic() - started < 5 * serve_impatient.HEAD_TIMEOUT_MS / 1000


def test_head_that_drips_ends_the_connection(impatient: Gateway):
    with Connection(impatient.url) as connection:
        drip(connection, b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ", 2)
        assert connection.reply().closed


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b"/v1/chat/completions", b"application/json"),
        (b"/v1/responses", b"application/json"),
        (b"/v1/messages", b"application/json"),
        (b"/v1/messages/count_tokens", b"application/json"),
        (b"/v1/messages/batches", b"application/json"),
        (b"/v1/files", b"multipart/form-data; boundary=b"),
    ],
)
def test_unfinished_body_is_answered_and_ends_the_connection(
    impatient: Gateway, path: bytes, kind: bytes
):
    head = b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: %b\r\n" % (path, kind)
    started = time.monotonic()
    reply = ask(impatient.url, head + b"content-length: 1000\r\n\r\n--b\r\n", quiet_s=5)
    assert (reply.statuses, reply.closed) == ([408], True)
    assert b"connection: close" in reply.head
    assert b"did not come in time" in reply.content
    assert BODY_TIMEOUT_S * 0.9 < time.monotonic() - started < BODY_TIMEOUT_S + 4


def test_body_that_drips_is_not_waited_for_longer(impatient: Gateway):
    """Each byte earns some microseconds, not another second."""
    with Connection(impatient.url) as connection:
        connection.send(post(b"content-length: 1000", body=b""))
        drip(connection, b"{" * 1000, BODY_TIMEOUT_S + 0.5)
        assert connection.reply().statuses == [408]


def test_body_that_comes_slowly_but_comes_is_served(impatient: Gateway):
    body = b'{"model":"gpt-5.5","input":"SAY[[hi]]"}'.ljust(200_000)
    with Connection(impatient.url) as connection:
        connection.send(post(b"content-length: %d" % len(body), body=b""))
        pause = threading.Event()
        for start in range(0, len(body), 50_000):
            pause.wait(BODY_TIMEOUT_S / 2)
            connection.send(body[start : start + 50_000])
        assert connection.reply().statuses == [200]


def test_many_that_stall_keep_nobody_from_being_served(gateway: Gateway):
    with ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(Connection(gateway.url))
            connection.send(get()[:20] if number % 2 else post(b"content-length: 9", body=b"{"))
        started = time.monotonic()
        for _ in range(20):
            assert httpx.get(f"{gateway.url}/health").status_code == 200
        assert time.monotonic() - started < 5
