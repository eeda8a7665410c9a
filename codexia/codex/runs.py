"""What one read brought, in pieces: runs of text deltas as they came, and frames around them.

An answer is mostly text deltas. A run of them can go to a client without being taken apart, so
it is left whole until somebody has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from codexia.codex.deltas import TEXT_DELTA
from codexia.sse import frames_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codexia.sse import Frame

Piece: TypeAlias = "Frame | bytes"
"""A frame, or the text of a run of text deltas."""

DELTA_START: Final = b"event: %b\n" % TEXT_DELTA.encode()
NEXT_DELTA_START: Final = b"\n\n" + DELTA_START


def pieces_in(events: bytes) -> list[Piece]:
    """Return the pieces of a text of whole events, its lines ended by LF."""
    if events.startswith(DELTA_START):
        if events.rfind(b"\n\n", 0, -2) == -1:  # a delta that travels alone, as most do
            return [events]
        start = 0
    else:
        start = events.find(NEXT_DELTA_START) + 2
        if start == 1:
            return [*frames_in(events)]
    last = max(start, events.rfind(NEXT_DELTA_START) + 2)
    end = events.index(b"\n\n", last) + 2
    return [*frames_in(events[:start]), events[start:end], *frames_in(events[end:])]


def pieces_of(frames: Iterable[Frame]) -> list[Piece]:
    """Return the pieces of frames that came without such a text."""
    pieces: list[Piece] = []
    run: list[bytes] = []
    for frame in frames:
        if frame.event == TEXT_DELTA and b"\n" not in frame.data:
            run.append(b"%bdata: %b\n\n" % (DELTA_START, frame.data))
            continue
        if run:
            pieces.append(b"".join(run))
            run = []
        pieces.append(frame)
    if run:
        pieces.append(b"".join(run))
    return pieces


def frames_of(pieces: Iterable[Piece]) -> Iterator[Frame]:
    """Give all frames, for who needs each of them."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield from frames_in(piece)
        else:
            yield piece


def after_two(run: bytes) -> int:
    """Return where the third delta of a run begins, or its end."""
    second = run.index(b"\n\n") + 2
    end = run.find(b"\n\n", second)
    return len(run) if end == -1 else end + 2
