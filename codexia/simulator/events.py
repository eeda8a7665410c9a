"""The frames of one upstream stream: `event:` and `data:` lines with their numbering.

Every public event carries a `sequence_number` that counts from 0 without gaps. Deltas are
encoded from a template made once an item, because a generated stream is mostly deltas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TERMINAL_HEADS = (
    b"event: response.completed\n",
    b"event: response.failed\n",
    b"event: response.incomplete\n",
    b"event: error\n",
)

_PADDING = b"0YGWuCF0S4D0k3Jd"
"""Stands for the random `obfuscation` that hides the length of a delta."""


class EventNumbering:
    """Encodes the events of one response and numbers them."""

    def __init__(self) -> None:
        self.next_number = 0

    def frame(self, event: str, **fields: Any) -> bytes:
        """Return one numbered event as an SSE frame."""
        number, self.next_number = self.next_number, self.next_number + 1
        return unnumbered_frame(event, **fields, sequence_number=number)

    def deltas(self, event: str, pieces: Iterable[str], **fields: Any) -> Iterator[bytes]:
        """Yield one numbered event for each piece; `fields` are those that all share."""
        shared = orjson.dumps({"type": event, **fields})[:-1]
        head = b"event: " + event.encode() + b"\ndata: " + shared.replace(b"%", b"%%")
        template = head + b',"delta":%b,"obfuscation":"%b","sequence_number":%d}\n\n'
        dumps = orjson.dumps
        for piece in pieces:
            delta = dumps(piece)
            yield template % (delta, _PADDING[len(delta) % 16 :], self.next_number)
            self.next_number += 1


def unnumbered_frame(event: str, **fields: Any) -> bytes:
    """Return one event without a number as an SSE frame: the `codex.*` ones, and unknown ones."""
    data = orjson.dumps({"type": event, **fields})
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


def is_delta(frame: bytes) -> bool:
    """Return whether the frame carries a piece of content; these are what pacing spaces out."""
    return frame.find(b".delta\n", 0, 80) > 0


def is_terminal(frame: bytes) -> bool:
    """Return whether the frame ends a response."""
    return frame.startswith(_TERMINAL_HEADS)
