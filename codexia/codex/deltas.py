"""Text deltas that need no decoding, because one like them was decoded.

The deltas of one part of the text differ in the text itself, in a decoy of random letters and in
their number. When one has been decoded, others are known by the bytes around these three, and
the text is taken as it stands: it may hold nothing that JSON escapes or that ends a string. What
is not exactly like that is None here, and is to be decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from codexia.codex.payload import Json
    from codexia.sse import Frame

TEXT_DELTA: Final = "response.output_text.delta"

TEXT_KEY: Final = b'"delta":"'
DECOY_KEY: Final = b'"obfuscation":"'
NUMBER_KEY: Final = b'"sequence_number":'
END: Final = b"}\n\n"
QUOTE, ZERO = b'"0'
MAX_DIGITS: Final = 15


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

    def text_in(self, chunk: bytes) -> str | None:
        """Return the text of a chunk that is one delta of this shape, as it came."""
        if not chunk.startswith(self.head) or not chunk.endswith(END):
            return None
        start = len(self.head)
        end = chunk.find(QUOTE, start)
        if not chunk.startswith(self.middle, end):
            return None
        decoy = end + len(self.middle)
        decoy_end = chunk.find(QUOTE, decoy)
        number = chunk[decoy_end + len(self.tail) : -len(END)]
        if not (
            chunk.startswith(self.tail, decoy_end)
            and chunk[decoy:decoy_end].isalnum()
            and number.isdigit()
            and number[0] != ZERO
            and len(number) <= MAX_DIGITS
        ):
            return None
        try:
            text = chunk[start:end].decode()
        except UnicodeDecodeError:
            return None
        return text if text.isprintable() and "\\" not in text else None
