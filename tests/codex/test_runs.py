"""What is taken apart, and what is left together, of the text of a read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from codexia.codex.runs import after_two, frames_of, pieces_in, pieces_of
from codexia.sse import frames_in

if TYPE_CHECKING:
    from codexia.codex.runs import Piece

DELTA = b'event: response.output_text.delta\ndata: {"delta":"a"}\n\n'
OTHER = b'event: response.output_item.added\ndata: {"item":{}}\n\n'
EVENTS = [
    DELTA,
    OTHER,
    b": ping\n\n",
    b"\n",
    b'data: {"delta":"a"}\nevent: response.output_text.delta\n\n',
    b'data: {"type":"response.output_text.delta"}\n\n',
    b"event: response.output_text.delta\ndata: 1\ndata: 2\n\n",
    b"event: response.output_text.deltas\ndata: 1\n\n",
    b"event: response.output_text.delta\n\n",
]


def shown(pieces: list[Piece]) -> list[str | int]:
    """Return the names of frames, and of each run how many deltas it has."""
    return [len(frames_in(piece)) if isinstance(piece, bytes) else piece.event for piece in pieces]


def test_deltas_are_left_together():
    item = "response.output_item.added"
    assert shown(pieces_in(DELTA)) == [1]
    assert shown(pieces_in(DELTA * 3)) == [3]
    assert shown(pieces_in(OTHER)) == [item]
    assert shown(pieces_in(OTHER + DELTA)) == [item, 1]
    assert shown(pieces_in(DELTA * 2 + OTHER)) == [2, item]
    assert shown(pieces_in(OTHER * 2 + DELTA * 4 + OTHER)) == [item, item, 4, item]
    assert pieces_in(b"") == []


def test_deltas_that_came_as_frames_are_put_together():
    frames = frames_in(OTHER * 2 + DELTA * 4 + OTHER)
    assert pieces_of(frames) == pieces_in(OTHER * 2 + DELTA * 4 + OTHER)
    assert pieces_of([]) == []


@given(st.lists(st.sampled_from(EVENTS), max_size=8))
def test_no_frame_is_lost_or_changed(events: list[bytes]):
    text = b"".join(events)
    frames = frames_in(text)
    assert [*frames_of(pieces_in(text))] == frames
    assert [*frames_of(pieces_of(frames))] == frames


def test_first_two_of_a_run():
    assert [after_two(DELTA * number) for number in (1, 2, 3)] == [
        len(DELTA),
        len(DELTA * 2),
        len(DELTA * 2),
    ]
