"""Bodies that are small on the wire and huge unpacked, in every encoding and at every kind of route."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.processes import Gateway

UNPACKED_BYTES = 80 * 2**20
PIECE = b" " * 2**20
GROWTH_KB = 220 * 1024
"""Room for what one body may unpack to, twice: as it comes out, and as one piece."""


def packed(compressor: zlib._Compress | zstandard.ZstdCompressionObj) -> bytes:
    pieces = [compressor.compress(PIECE) for _ in range(UNPACKED_BYTES // len(PIECE))]
    return b"".join([*pieces, compressor.flush()])


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: packed(zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)),
    "deflate": lambda: packed(zlib.compressobj(1)),
    "zstd": lambda: packed(zstandard.ZstdCompressor().compressobj()),
}
ROUTES = {
    "/v1/responses": ("application/json", 413),
    "/v1/messages/count_tokens": ("application/json", 413),
    # These take 256 MiB, in pieces, and find out what it is.
    "/v1/messages/batches": ("application/json", 400),
    "/v1/files": ("multipart/form-data; boundary=b", 400),
}


def peak_kb(gateway: Gateway) -> int:
    """Return the most memory that any worker ever had."""
    lines = [Path(f"/proc/{pid}/status").read_text() for pid in gateway.worker_pids()]
    return max(int(text.partition("VmHWM:")[2].split()[0]) for text in lines)


@pytest.mark.parametrize("encoding", BOMBS)
def test_bomb_is_refused_before_it_unfolds(gateway: Gateway, encoding: str):
    bomb = BOMBS[encoding]()
    assert len(bomb) < UNPACKED_BYTES / 200
    before = peak_kb(gateway)
    for path, (kind, status) in ROUTES.items():
        headers = {"content-encoding": encoding, "content-type": kind}
        reply = httpx.post(gateway.url + path, content=bomb, headers=headers, timeout=60)
        assert reply.status_code == status, path
    assert peak_kb(gateway) - before < GROWTH_KB


def test_bomb_in_a_bomb_is_not_unpacked(gateway: Gateway):
    twice = gzip.compress(BOMBS["gzip"]())
    for encoding, status in (("gzip, gzip", 415), ("gzip", 400)):
        headers = {"content-encoding": encoding, "content-type": "application/json"}
        reply = httpx.post(f"{gateway.url}/v1/responses", content=twice, headers=headers)
        assert reply.status_code == status


def test_window_that_a_frame_asks_for_is_bounded(gateway: Gateway):
    """16 bytes could ask the decoder for 2 GiB of window."""
    frame = bytes.fromhex("28b52ffd") + bytes([0x00, (31 - 10) << 3]) + b"\x01\x00\x00"
    for path in ("/v1/responses", "/v1/messages/batches"):
        headers = {"content-encoding": "zstd", "content-type": "application/json"}
        reply = httpx.post(gateway.url + path, content=frame, headers=headers)
        assert reply.status_code == 400
        assert "zstd" in reply.json()["error"]["message"]
