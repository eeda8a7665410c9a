"""Uploads pass through a worker: its memory does not grow with them.

`CODEXIA_TEST_UPLOAD_MB=250` sends nearly as much as is allowed.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
import zstandard

from tests.e2e.batches import messages_request, openai_line
from tests.e2e.processes import log_in, running_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

UPLOAD_MB = int(os.environ.get("CODEXIA_TEST_UPLOAD_MB", "24"))
ITEM_BYTES = 64 * 1024
ITEMS = UPLOAD_MB * 2**20 // ITEM_BYTES
GROWTH_MB = 12
"""Less than half of the smaller upload; what is seen is 1 to 4."""

PADDING = "x" * (ITEM_BYTES - 300)
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    log_in(home, simulator)
    # None of what is uploaded is to be run: this is about the way in.
    flags = ("--workers", "1")
    with running_gateway(home, simulator, *flags, CODEXIA_BATCH_CONCURRENCY="1") as gateway:
        yield gateway


def rss_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def batch() -> Iterator[bytes]:
    yield b'{"requests":['
    for number in range(ITEMS):
        slow = f"STREAM[[deltas=20 gap_ms=100]] {PADDING}"
        yield b"," * bool(number) + orjson.dumps(messages_request(f"id-{number}", slow))
    yield b"]}"


def form() -> Iterator[bytes]:
    disposition = b"--b\r\ncontent-disposition: form-data; name="
    yield disposition + b'"purpose"\r\n\r\nbatch\r\n'
    yield disposition + b'"file"; filename="in.jsonl"\r\n\r\n'
    for number in range(ITEMS):
        line = openai_line(f"id-{number}", "/v1/chat/completions", PADDING)
        yield orjson.dumps(line) + b"\n"
    yield b"\r\n--b--\r\n"


def compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor().compressobj()
    yield from map(compressor.compress, pieces)
    yield compressor.flush()


@pytest.mark.parametrize("kind", ["batch", "compressed-batch", "file"])
@pytest.mark.timeout(300)
def test_an_upload_takes_no_memory_of_the_worker(gateway: Gateway, kind: str):
    [worker] = gateway.worker_pids()
    httpx.get(f"{gateway.url}/v1/messages/batches").raise_for_status()
    before = rss_mb(worker)
    match kind:
        case "file":
            path, content = "/v1/files", form()
            headers = {"content-type": "multipart/form-data; boundary=b"}
        case "batch":
            path, content, headers = "/v1/messages/batches", batch(), JSON
        case _:
            path, content = "/v1/messages/batches", compressed(batch())
            headers = {**JSON, "content-encoding": "zstd"}
    reply = httpx.post(gateway.url + path, content=content, headers=headers, timeout=200)
    assert reply.status_code == 200, reply.text
    grown = rss_mb(worker) - before
    if kind != "file":
        assert reply.json()["request_counts"]["processing"] == ITEMS
        url = f"{gateway.url}/v1/messages/batches/{reply.json()['id']}/cancel"
        httpx.post(url, timeout=60).raise_for_status()
    assert grown < GROWTH_MB, f"{grown} MB for {UPLOAD_MB} MB"


def test_a_body_that_says_it_is_too_large_is_refused_at_once(gateway: Gateway):
    address = httpx.URL(gateway.url)
    with socket.create_connection((address.host, address.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/messages/batches HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n{" % (257 * 2**20)
        )
        reply = connection.recv(65536)
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b'"request_too_large"' in reply
