"""Inputs like valid ones: bytes flipped, parts left out, doubled, moved, and taken from another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

TOKENS = [
    *(b"{}", b"[]", b"null", b"true", b'""', b"-1", b"0", b"1e999", b"9" * 40, b"1.5"),
    *(b"\n\n", b"\r", b"\r\n\r\n", b"data:", b"event: ", b": ", b"data: [DONE]\n\n"),
    *(
        b"\xff",
        b"\x00",
        b"\\ud800",
        b"\\u0000",
        b"\xe2\x80\xa8",
        b'"type":"error"',
        b"%",
        b"&",
        b"#",
    ),
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"[" * 300, b'{"a":' * 300),
]
MOST_CHANGES = 6
LONGEST_BYTES = 64 * 1024

_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """Return an input; now and then it has nothing to do with any seed."""
    if chance.random() < 0.02:
        return chance.randbytes(chance.randrange(200))
    data = chance.choice(seeds)
    for _ in range(chance.randint(1, MOST_CHANGES)):
        data = chance.choice(CHANGES)(chance, data, seeds)
    return data[:LONGEST_BYTES]


def _place(chance: random.Random, data: bytes) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 1, 2, 8, 64, 512)))


def _value(chance: random.Random, data: bytes) -> tuple[int, int] | None:
    """Return where a value is, in the line at some place: to look at all lines takes too long."""
    place = chance.randrange(len(data) + 1)
    start, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place)
    values = [
        match.span() for match in _VALUE.finditer(data, start, end if end >= 0 else len(data))
    ]
    return chance.choice(values) if values else None


def flip(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    if not data:
        return data
    position = chance.randrange(len(data))
    return data[:position] + bytes([chance.randrange(256)]) + data[position + 1 :]


def drop(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _place(chance, data)
    return data[:start] + data[end:]


def double(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _place(chance, data)
    return data[:end] + data[start:end] * chance.randint(1, 3) + data[end:]


def insert(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, _end = _place(chance, data)
    return data[:start] + chance.choice(TOKENS) + data[start:]


def exchange(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    """Put another value in place of one; the rest stays valid JSON."""
    found, other = _value(chance, data), _value(chance, data)
    if found is None or other is None:
        return data
    value = chance.choice((data[slice(*other)], chance.choice(TOKENS)))
    return data[: found[0]] + value + data[found[1] :]


def splice(chance: random.Random, data: bytes, seeds: list[bytes]) -> bytes:
    other = chance.choice(seeds)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def move_frame(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    frames = data.split(b"\n\n")
    chance.shuffle(frames) if chance.random() < 0.1 else frames.insert(
        chance.randrange(len(frames) + 1), frames.pop(chance.randrange(len(frames)))
    )
    return b"\n\n".join(frames)


CHANGES = (flip, drop, double, insert, exchange, exchange, splice, move_frame)
