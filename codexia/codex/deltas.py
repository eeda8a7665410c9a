"""Text deltas that need no decoding, because one like them was decoded.

The deltas of one part of the text differ in the text itself, in a decoy of random letters and in
their number. When one has been decoded, others are known by the bytes around these three, and
the text is taken as it stands: it may hold nothing that JSON escapes or that ends a string. What
is not exactly like that is None here, and is to be decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from codexia.codex.payload import Json
    from codexia.sse import Frame

TEXT_DELTA: Final = "response.output_text.delta"

TEXT_KEY: Final = b'"delta":"'
DECOY_KEY: Final = b'"obfuscation":"'
NUMBER_KEY: Final = b'"sequence_number":'
END: Final = b"}\n\n"
QUOTE, BACKSLASH, ZERO = b'"\\0'
MAX_DIGITS: Final = 15


class Plain(NamedTuple):
    """Texts of deltas, each as it stands in JSON, and how many characters they are in all."""

    texts: list[bytes]
    chars: int


@dataclass(frozen=True, slots=True)
class DeltaShape:
    """What the deltas of one part have in common.

    Attributes:
        head: bytes of the event up to the text.
        middle: from the text to the decoy.
        tail: from the decoy to the number, which ends the event.
    """

    head: bytes
    middle: bytes
    tail: bytes

    @staticmethod
    def is_plain(frame: Frame) -> bool:
        """Return whether a frame can tell its shape: no quote in it is part of a string."""
        return b"\\" not in frame.data

    @classmethod
    def of(cls, frame: Frame, payload: Json) -> DeltaShape | None:
        """Return the shape of a delta that is plain; None where it has not all three in this order."""
        head, text_key, rest = frame.data.partition(TEXT_KEY)
        middle, decoy_key, rest = rest.partition(b'"')[2].partition(DECOY_KEY)
        tail, number_key, _ = rest.partition(b'"')[2].partition(NUMBER_KEY)
        shape = cls(head + text_key, b'"' + middle + decoy_key, b'"' + tail + number_key)
        try:
            like = orjson.loads(b"%bA%bB%b1}" % (shape.head, shape.middle, shape.tail))
        except orjson.JSONDecodeError:
            return None
        # That these are the three, and not others of their names further in.
        if like != {**payload, "delta": "A", "obfuscation": "B", "sequence_number": 1}:
            return None
        before = b"event: %b\ndata: " % frame.event.encode()
        return cls(before + shape.head, shape.middle, shape.tail)

    def plain_in(self, events: bytes) -> Plain | None:
        """Return the texts of events that all are deltas of this shape, as they came."""
        before, *deltas = events.split(self.head)
        if before:
            return None
        texts: list[bytes] = []
        for delta in deltas:
            text, middle, rest = delta.partition(self.middle)
            decoy, tail, number = rest.partition(self.tail)
            digits = number[: -len(END)]
            if not (
                middle
                and tail
                and text
                and decoy.isalnum()
                and number.endswith(END)
                and digits.isdigit()
                and digits[0] != ZERO
                and len(digits) <= MAX_DIGITS
            ):
                return None
            texts.append(text)
        # A space between them, which is printable, and ends a letter that was cut in two.
        joined = b" ".join(texts)
        if QUOTE in joined or BACKSLASH in joined:
            return None
        try:
            shown = joined.decode()
        except UnicodeDecodeError:
            return None
        return Plain(texts, len(shown) - len(texts) + 1) if shown.isprintable() else None
