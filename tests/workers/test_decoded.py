"""What decoded bodies count as is never less than what they take."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson
import pytest

from codexia.errors import BadRequest, Overloaded, RequestTooLarge
from codexia_workers import body
from codexia_workers.body import decode_json
from codexia_workers.decoded import MOST_PER_BYTE, decoded_bytes, most_decoded_bytes
from codexia_workers.request_memory import Hold

VALUES = 50_000
PROSE = "The file was read and then, of course, written again: see `src/app.py`, (a, b).\n" * 400


def many(value: bytes) -> bytes:
    return b'{"a":[' + b",".join([value] * VALUES) + b"]}"


def each(form: str) -> bytes:
    return b'{"a":[' + ",".join(form % number for number in range(VALUES)).encode() + b"]}"


DEEP = b'{"%x":' * 150 + b"0" + b"}" * 150

DOCUMENTS = {
    "lists": many(b"[]"),
    "objects": many(b"{}"),
    "members": many(b'{"":0}'),
    "nested lists": many(b"[[[]]]"),
    "nested objects": many(b'{"":{"":{}}}'),
    "integers": many(b"123456"),
    "floats": many(b"1.5"),
    "texts": many(b'"ab"'),
    "umlauts": many('"\u00e9"'.encode()),
    "chinese": many('"\u8bed"'.encode()),
    "emoji": many('"\U0001f600"'.encode()),
    "escapes": many(b'"\\ud83d\\ude00"'),
    "names": each('{"%x":0}'),
    "wide names": each('{"%x\U0001f600":0}'),
    "deep names": b'{"a":['
    + b",".join(DEEP % tuple(range(start, start + 150)) for start in range(0, 30_000, 150))
    + b"]}",
    "one object": b"{" + b",".join(b'"%x":0' % number for number in range(VALUES)) + b"}",
    "prose": orjson.dumps({"text": PROSE * 50}),
    "prose with a dash": orjson.dumps({"text": PROSE * 50 + "\u2014"}),
    "prose with an emoji": orjson.dumps({"text": PROSE * 50 + "\U0001f600"}),
    "image": orjson.dumps({"data": "aGVsbG8gd29ybGQ" * 100_000}),
    "agent": orjson.dumps(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": PROSE}
                    ],
                }
                for n in range(50)
            ]
        }
    ),
}


def taken(content: bytes) -> int:
    """Return what a document really takes."""
    tracemalloc.start()
    try:
        decoded = orjson.loads(content)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert decoded
    return size


@pytest.mark.parametrize("name", DOCUMENTS)
def test_estimates_are_not_below_what_a_document_takes(name: str):
    content = DOCUMENTS[name]
    told = decoded_bytes(orjson.loads(content))
    assert taken(content) <= told <= most_decoded_bytes(content)
    assert told <= len(content) * MOST_PER_BYTE


@pytest.mark.parametrize(("name", "factor"), [("prose", 1.1), ("image", 1.1), ("agent", 1.2)])
def test_ordinary_bodies_count_little_more_than_their_bytes(name: str, factor: float):
    content = DOCUMENTS[name]
    assert decoded_bytes(orjson.loads(content)) <= factor * len(content)


class Memory:
    """A worker's memory for bodies."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0


def scope(memory: Any) -> dict[str, Any]:
    return {"state": {"memory": Hold(memory)}}


def test_decoded_body_counts():
    memory = Memory(2**30)
    content = DOCUMENTS["lists"]
    decode_json(content, scope(memory))
    assert memory.held_bytes >= taken(content)


def test_body_that_may_take_too_much_beside_others_is_not_decoded():
    memory = Memory(2**20)
    first = scope(memory)
    decode_json(b'{"a": "b"}', first)
    with pytest.raises(Overloaded):
        decode_json(DOCUMENTS["lists"], scope(memory))
    first["state"]["memory"].give_back()
    decode_json(DOCUMENTS["lists"], scope(memory))


def test_body_of_too_many_values_is_refused_even_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(body, "MAX_DECODED_BYTES", 2**20)
    with pytest.raises(RequestTooLarge, match="too many values"):
        decode_json(DOCUMENTS["lists"], scope(Memory(2**30)))
    decode_json(orjson.dumps({"text": "x" * 500_000}), scope(Memory(2**30)))


@pytest.mark.parametrize("levels", [200, 201])
def test_levels_are_limited(levels: int):
    content = b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    if levels > 200:
        with pytest.raises(BadRequest, match="nested deeper"):
            decode_json(content)
    else:
        decode_json(content)
