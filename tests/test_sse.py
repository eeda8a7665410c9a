"""Frames come out the same however the bytes were cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia import sse
from codexia.errors import UpstreamTruncated
from codexia.sse import Frame, FrameSplitter

STREAM = (
    b'event: response.created\ndata: {"type":"response.created"}\n\n'
    b": a comment\n\n"
    b'event: note\ndata: {"text":"caf\xc3\xa9 \xe2\x80\xa8 line separator"}\n\n'
    b"data: first\ndata: second\n\n"
    b'data: {"type":"unnamed"}\n\n'
    b"data: [DONE]\n\n"
)
FRAMES = [
    Frame("response.created", b'{"type":"response.created"}'),
    Frame("note", '{"text":"café \u2028 line separator"}'.encode()),
    Frame("", b"first\nsecond"),
    Frame("unnamed", b'{"type":"unnamed"}'),
    Frame("", b"[DONE]"),
]


def split(chunks: list[bytes]) -> list[Frame]:
    splitter = FrameSplitter()
    return [frame for chunk in chunks for frame in splitter.feed(chunk)]


@given(
    st.lists(st.integers(0, 4 * len(STREAM)), max_size=30),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_cuts_and_line_ends_do_not_matter(cuts: list[int], line_end: bytes):
    stream = STREAM.replace(b"\n", line_end) + (b"\n" if line_end == b"\r" else b"")
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert split([stream[a:b] for a, b in itertools.pairwise(edges)]) == FRAMES


def test_one_byte_at_a_time():
    assert split([STREAM[i : i + 1] for i in range(len(STREAM))]) == FRAMES


def test_unfinished_frame_is_not_given():
    assert split([STREAM[:-1]]) == FRAMES[:-1]


def test_frame_in_many_chunks_is_whole():
    image = b"A" * 4_000_000
    stream = b"event: image\ndata: " + image + b"\n\n"
    chunks = [stream[i : i + 16384] for i in range(0, len(stream), 16384)]
    assert split(chunks) == [Frame("image", image)]


def test_endless_frame_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sse, "MAX_FRAME_BYTES", 1000)
    splitter = FrameSplitter()
    splitter.feed(b"x" * 900)
    with pytest.raises(UpstreamTruncated):
        splitter.feed(b"x" * 200)


@pytest.mark.parametrize("data", [b"{", b"[1]", b"\xff", b'"text"'])
def test_payload_that_is_no_object_is_the_backends_fault(data: bytes):
    with pytest.raises(UpstreamTruncated):
        Frame("x", data).json()


def test_named_frames_carry_their_type():
    assert sse.named([{"type": "ping"}, Frame("a", b"{}")]) == (
        b'event: ping\ndata: {"type":"ping"}\n\nevent: a\ndata: {}\n\n'
    )


def test_unnamed_frames_have_data_only():
    assert sse.unnamed([{"id": 1}, Frame("", b"[DONE]")]) == b'data: {"id":1}\n\ndata: [DONE]\n\n'
