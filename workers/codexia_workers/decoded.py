"""What a JSON document takes in memory once it is decoded: at most before, and afterwards.

Text takes a few times its bytes at most, but empty lists and objects up to 60 times theirs:
`[[],[],...]` of 10 MB becomes 210 MB.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Any, Final

MAX_NESTING: Final = 200
"""Levels of a body. orjson decodes 1024 but encodes 254, and what we send adds some of its own."""

MOST_PER_BYTE: Final = 96
"""No document takes more for each of its bytes."""

_MOST_PER_VALUE: Final = 384
"""For each comma or opening bracket: an object with one member whose name is like no other's."""


class TooDeep(Exception):
    """A document has more levels than `MAX_NESTING`."""


def most_decoded_bytes(content: bytes) -> int:
    """Return what a document takes at most; counts, which takes 1 ms a MB."""
    values = 3 + sum(map(content.count, (b",", b"[", b"{")))
    return values * _MOST_PER_VALUE + len(content) * _text_factor(content)


def decoded_bytes(decoded: dict[str, Any]) -> int:
    """Return what a document takes, or a little more: shared values count each time.

    Raises:
        TooDeep: it has too many levels.
    """
    size = getsizeof(decoded)
    level: list[dict[str, Any] | list[Any]] = [decoded]
    for _ in range(MAX_NESTING):
        members: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                size += sum(map(getsizeof, each))
                members += each.values()
            else:
                members += each
        size += sum(map(getsizeof, members))
        level = [member for member in members if type(member) in (dict, list)]
        if not level:
            return size
    raise TooDeep


def _text_factor(content: bytes) -> int:
    """Return how many bytes one byte of a text takes at most.

    A text has the width of its widest character, for each of them.
    """
    if content.isascii():
        return 4 if b"\\u" in content else 1
    # What UTF-8 begins with 0xf0 or above is outside the basic plane.
    return 4 if b"\xf0" in content or b"\\u" in content else 2
