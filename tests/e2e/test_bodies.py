"""Bodies that are too large, broken, compressed, or not what they claim."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
import zstandard

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway

PATHS = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]
JSON = {"content-type": "application/json"}
BODY = orjson.dumps(
    {
        "model": "gpt-5.5",
        "max_tokens": 9,
        "input": "SAY[[unpacked]]",
        "messages": [{"role": "user", "content": "SAY[[unpacked]]"}],
    }
)


def post(gateway: Gateway, path: str, content: bytes, **headers: str) -> httpx.Response:
    return httpx.post(
        gateway.url + path,
        content=content,
        headers={**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}},
        timeout=60,
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        pytest.param(
            "zstd",
            zstandard.ZstdCompressor(write_content_size=False).compress,
            id="zstd-without-content-size",
        ),
        ("identity", bytes),
    ],
)
def test_compressed_body_is_read(gateway: Gateway, path: str, encoding: str, compress):
    reply = post(gateway, path, compress(BODY), content_encoding=encoding)
    assert reply.status_code == 200
    assert "unpacked" in reply.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (b"", "identity", 400),
        (b"{", "identity", 400),
        (b"[]", "identity", 400),
        (b"null", "identity", 400),
        (b'"text"', "identity", 400),
        (b"\xff\xfe{}", "identity", 400),
        (b'{"model":"\xc3\x28"}', "identity", 400),
        (b"[" * 100_000, "identity", 400),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "identity", 400),
        (b"{}", "gzip", 400),
        (gzip.compress(BODY, mtime=0)[:-10], "gzip", 400),
        (b"{}", "zstd", 400),
        (b"{}", "br", 415),
    ],
)
def test_broken_body_is_a_client_error(
    gateway: Gateway, path: str, content: bytes, encoding: str, status: int
):
    reply = post(gateway, path, content, content_encoding=encoding)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_oversized_body_is_refused(gateway: Gateway):
    reply = post(gateway, "/v1/messages", b" " * (65 * 2**20))
    assert reply.status_code == 413
    assert reply.json()["error"]["type"] == "request_too_large"
