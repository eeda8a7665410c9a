"""Sizes of images, from headers made by hand."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.codex.image_size import image_size

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 640, 480)
FRAME = struct.pack(">BBHBHH", 0xFF, 0xC0, 17, 8, 480, 640)
PROGRESSIVE = FRAME.replace(b"\xff\xc0", b"\xff\xc2")
METADATA = b"\xff\xe1" + struct.pack(">H", 3000) + b"\xff\xc0" * 1499
TABLES = b"\xff\xc4" + struct.pack(">H", 4) + b"\xff\xc0"


def webp(kind: bytes, chunk: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 99) + b"WEBP" + kind + struct.pack("<I", 80) + chunk


HEADS = {
    "png": PNG,
    "gif": GIF,
    "jpeg": b"\xff\xd8" + FRAME,
    "progressive jpeg": b"\xff\xd8" + PROGRESSIVE,
    "jpeg with metadata": b"\xff\xd8" + METADATA + TABLES + b"\xff\xff" + FRAME,
    "lossy webp": webp(b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", 640, 480)),
    "lossless webp": webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)),
    "extended webp": webp(b"VP8X", b"\x10\0\0\0" + b"\x7f\x02\0" + b"\xdf\x01\0"),
}


@pytest.mark.parametrize("kind", HEADS)
def test_size_is_read(kind: str):
    assert image_size(HEADS[kind]) == (640, 480)


@pytest.mark.parametrize("kind", HEADS)
def test_head_that_is_cut_short_tells_no_size(kind: str):
    cuts = range(0, len(HEADS[kind]), 7)
    assert {image_size(HEADS[kind][:end]) for end in cuts} <= {None, (640, 480)}
    assert image_size(HEADS[kind][:9]) is None


@pytest.mark.parametrize("head", [b"", b"<svg/>", b"\xff\xd8\x00\x00\x00\x00", webp(b"ALPH", b"")])
def test_what_is_no_known_image_tells_no_size(head: bytes):
    assert image_size(head) is None


@given(start=st.sampled_from(list(HEADS.values())), cut=st.integers(0, 40), rest=st.binary())
def test_no_bytes_at_all_are_an_error(start: bytes, cut: int, rest: bytes):
    size = image_size(start[:cut] + rest)
    assert size is None or min(size) >= 0
