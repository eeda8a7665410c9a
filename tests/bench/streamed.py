"""Answers as a server might send them, and requests for them."""

from __future__ import annotations

import orjson

from bench.client import Exchange
from bench.job import Flow
from bench.scenario import Streams

DELTAS = 3
TEXTS = ("w000000 ", "w000001 ", "w000002 ")


def chat_body(*texts: str, end: bytes = b"data: [DONE]\n\n") -> bytes:
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + end


def chunked(*parts: bytes) -> list[bytes]:
    """Return the pieces of an answer: its head, then a chunk for each part, then the end."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%b\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


def exchange(*pieces: bytes) -> Exchange:
    """Return an exchange whose pieces came 10 ms apart, the first after 10 ms."""
    reads = [(10.0 + 0.01 * (place + 1), piece) for place, piece in enumerate(pieces)]
    return Exchange(sent_at=10.0, reused=False, reads=reads)


def flow(url: str = "http://127.0.0.1:1/v1", *, strict: bool = True, streams: int = 1) -> Flow:
    return Flow(
        url=url,
        headers={},
        body='{"prompt": "bench prompt"}',
        dialect="chat",
        streams=Streams(concurrency=1, streams=streams, deltas=DELTAS, gap_ms=4),
        strict=strict,
    )
