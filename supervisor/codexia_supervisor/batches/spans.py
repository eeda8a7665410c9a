"""Where the values of a JSON text are, without decoding or copying it, in one pass.

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

_STRING_TEXT: Final = (
    # One character that ends a run is found several times sooner than one of two. A quote after
    # one backslash is of the text, and one after none ends it;
    rb'"(?:(?:[^"]*+(?<=[^\\]\\)")*+[^"]*+(?<!\\)"'
    # after several they have to be counted.
    rb'|[^"\\]*+(?:\\.[^"\\]*+)*+")'
)
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(_STRING_TEXT, re.DOTALL)
_BRACKET: Final = re.compile(_STRING_TEXT + rb'|[][{}"]', re.DOTALL)
_SCALAR: Final = re.compile(rb"[-+.0-9a-zA-Z]++")

_OPENING: Final = frozenset(b"[{")


class NotJson(Exception):
    """The text is not JSON; says where."""


class Walk:
    """A way through a JSON text.

    `members` and `elements` stop at the beginning of each value; who reads them takes it, by
    whichever method, or leaves it to be passed by.

    Attributes:
        position: of the next byte.
    """

    def __init__(self, text: Buffer) -> None:
        """Begin with the text's value."""
        self.position = 0
        self._text = text
        self._skip()

    @property
    def next_byte(self) -> int:
        """What is at the position, -1 at the end."""
        return self._text[self.position] if self.position < len(self._text) else -1

    def members(self) -> Iterator[str]:
        """Yield the keys of an object.

        Raises:
            NotJson: there is no object.
        """
        self._expect(b"{")
        if self._passed(b"}"):
            return
        while True:
            key = self._key()
            self._expect(b":")
            start = self.position
            yield key
            if self.position == start:
                self.value()
            if self._passed(b"}"):
                return
            self._expect(b",")

    def elements(self) -> Iterator[int]:
        """Yield the numbers of the values of an array, from 0.

        Raises:
            NotJson: there is no array.
        """
        self._expect(b"[")
        if self._passed(b"]"):
            return
        number = 0
        while True:
            start = self.position
            yield number
            if self.position == start:
                self.value()
            if self._passed(b"]"):
                return
            self._expect(b",")
            number += 1

    def value(self) -> Span:
        """Pass by a value and return where it is.

        Raises:
            NotJson: there is none.
        """
        start, first = self.position, self.next_byte
        if first in _OPENING:
            end = self._end_of_container()
        else:
            found = (_STRING if first == ord('"') else _SCALAR).match(self._text, start)
            if found is None:
                raise NotJson(f"a value is missing at byte {start}")
            end = found.end()
        self.position = end
        self._skip()
        return start, end

    def end(self) -> None:
        """Return if this is the end of the text.

        Raises:
            NotJson: something follows.
        """
        if self.position < len(self._text):
            raise NotJson(f"something follows the end at byte {self.position}")

    def _key(self) -> str:
        found = _STRING.match(self._text, self.position)
        if found is None:
            raise NotJson(f"a key is missing at byte {self.position}")
        try:
            key = str(orjson.loads(found[0]))
        except orjson.JSONDecodeError as error:
            raise NotJson(f"the key at byte {self.position} is not valid") from error
        self.position = found.end()
        self._skip()
        return key

    def _end_of_container(self) -> int:
        depth = 0
        for found in _BRACKET.finditer(self._text, self.position):
            start, end = found.span()
            match self._text[start]:
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
        raise NotJson(f"what begins at byte {self.position} does not end")

    def _passed(self, wanted: bytes) -> bool:
        """Go on after a character, if it is there; return whether it is."""
        if self.next_byte != wanted[0]:
            return False
        self.position += 1
        self._skip()
        return True

    def _expect(self, wanted: bytes) -> None:
        if not self._passed(wanted):
            raise NotJson(f"{wanted.decode()!r} is missing at byte {self.position}")

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self.position)
        self.position = found.end() if found else self.position
