"""Where the values of a JSON text are, without decoding or copying it.

The content of a batch is kept as it came, so that a request reaches its worker with every
number as the client wrote it; a decoder would give values and not places. Brackets and commas
are checked here; what is within a value is for whoever decodes it.
"""

from __future__ import annotations

import mmap
import re
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

Buffer = bytes | mmap.mmap
Span = tuple[int, int]
"""First byte of a value, and the one after its last."""

_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKET: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}"]', re.DOTALL)
_SCALAR: Final = re.compile(rb"[-+.0-9a-zA-Z]++")

_OPENING: Final = frozenset(b"[{")


class NotJson(Exception):
    """The text is not JSON; says where."""


def members(text: Buffer, span: Span | None) -> Iterator[tuple[str, Span]]:
    """Yield keys and values of the object at `span`; without one, of the whole text.

    Raises:
        NotJson: there is no object.
    """
    position = _skip(text, span[0] if span else 0)
    position = _expect(text, position, b"{")
    if _at(text, position) == ord("}"):
        _end(text, position + 1, span)
        return
    while True:
        key, position = _key(text, position)
        position = _expect(text, position, b":")
        end = _end_of_value(text, position)
        yield key, (position, end)
        position = _skip(text, end)
        if _at(text, position) == ord("}"):
            _end(text, position + 1, span)
            return
        position = _expect(text, position, b",")


def elements(text: Buffer, span: Span) -> Iterator[Span]:
    """Yield the values of the array at `span`.

    Raises:
        NotJson: there is no array.
    """
    position = _expect(text, span[0], b"[")
    if _at(text, position) == ord("]"):
        return
    while True:
        end = _end_of_value(text, position)
        yield position, end
        position = _skip(text, end)
        if _at(text, position) == ord("]"):
            return
        position = _expect(text, position, b",")


def _key(text: Buffer, position: int) -> tuple[str, int]:
    found = _STRING.match(text, position)
    if found is None:
        raise NotJson(f"a key is missing at byte {position}")
    try:
        return str(orjson.loads(found[0])), _skip(text, found.end())
    except orjson.JSONDecodeError as error:
        raise NotJson(f"the key at byte {position} is not valid") from error


def _end_of_value(text: Buffer, position: int) -> int:
    first = _at(text, position)
    if first in _OPENING:
        return _end_of_container(text, position)
    found = (_STRING if first == ord('"') else _SCALAR).match(text, position)
    if found is None:
        raise NotJson(f"a value is missing at byte {position}")
    return found.end()


def _end_of_container(text: Buffer, position: int) -> int:
    depth = 0
    for found in _BRACKET.finditer(text, position):
        start, end = found.span()
        match text[start]:
            case 0x5B | 0x7B:
                depth += 1
            case 0x5D | 0x7D:
                depth -= 1
                if not depth:
                    return end
            case _ if end - start == 1:
                raise NotJson(f"the string at byte {start} does not end")
            case _:  # a whole string, whose brackets do not count
                pass
    raise NotJson(f"what begins at byte {position} does not end")


def _end(text: Buffer, position: int, span: Span | None) -> None:
    """Check that nothing follows what was the whole text."""
    if span is None and _skip(text, position) < len(text):
        raise NotJson(f"something follows the end at byte {position}")


def _expect(text: Buffer, position: int, wanted: bytes) -> int:
    if _at(text, position) != wanted[0]:
        raise NotJson(f"{wanted.decode()!r} is missing at byte {position}")
    return _skip(text, position + 1)


def _skip(text: Buffer, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _at(text: Buffer, position: int) -> int:
    return text[position] if position < len(text) else -1
