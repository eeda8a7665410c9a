"""Width and height of an image, from the first bytes of its file."""

from __future__ import annotations

import struct
from typing import Final

Size = tuple[int, int]

PNG: Final = b"\x89PNG\r\n\x1a\n"
JPEG: Final = b"\xff\xd8"
NOT_A_FRAME: Final = frozenset({0xC4, 0xC8, 0xCC})
"""JPEG markers among those of frames that are none: Huffman tables, a reserved one, conditioning."""


def image_size(head: bytes) -> Size | None:
    """Return width and height in pixels; None where `head` does not tell them.

    Knows PNG, JPEG, GIF and WebP, which are all that the backend takes.

    Args:
        head: the beginning of the file. 30 bytes do, but for a JPEG, whose size comes after
            its metadata.
    """
    try:
        if head.startswith(PNG):
            return struct.unpack_from(">II", head, 16)
        if head.startswith(b"GIF8"):
            return struct.unpack_from("<HH", head, 6)
        if head.startswith(JPEG):
            return _jpeg(head)
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return _webp(head)
    except struct.error:  # cut short
        pass
    return None


def _jpeg(head: bytes) -> Size | None:
    at = len(JPEG)
    while True:
        fill, marker, length = struct.unpack_from(">BBH", head, at)
        if fill != 0xFF:
            return None
        if marker == 0xFF:  # any number of these may stand before a marker
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in NOT_A_FRAME:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        else:
            at += 2 + length


def _webp(head: bytes) -> Size | None:
    match head[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", head, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X" if len(head) >= 30:
            width, height = head[24:27], head[27:30]
            return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
        case _:
            return None
