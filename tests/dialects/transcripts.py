"""The simulator's transcripts, and ways to play them to a translator."""

from __future__ import annotations

import random
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson

from codexia.dialects.dialect import Context
from codexia.errors import CodexiaError, UpstreamTruncated
from codexia.models import ModelTable
from codexia.sse import Frame, FrameSplitter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codexia.dialects.dialect import ReplyStream
    from codexia.sse import Event

_FOLDER = files("codexia.simulator").joinpath("transcripts")

TRANSCRIPTS = {
    entry.name.removesuffix(".sse"): entry.read_bytes()
    for entry in sorted(_FOLDER.iterdir(), key=lambda entry: entry.name)
    if entry.name.endswith(".sse")
}
"""Recorded streams by name."""

RESPONSE_ID = "0123456789abcdef"


def context(**headers: str) -> Context:
    """Return a context with the built-in models; headers are spelled with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Context(ModelTable(), RESPONSE_ID, 1_795_363_200, named)


def frames(data: bytes) -> list[Frame]:
    """Return the frames of a stream that came in one chunk."""
    return FrameSplitter().feed(data)


def frame(**payload: Any) -> Frame:
    """Return one frame; `type` is its event name."""
    return Frame(payload["type"], orjson.dumps(payload))


def chunkings(data: bytes) -> dict[str, list[bytes]]:
    """Return ways to cut a stream: whole, by line, by byte, and at random (but always the same)."""
    cuts = sorted(random.Random(len(data)).sample(range(1, len(data)), min(50, len(data) - 1)))
    edges = [0, *cuts, len(data)]
    return {
        "whole": [data],
        "line": data.splitlines(keepends=True),
        "byte": [data[i : i + 1] for i in range(len(data))],
        "random": [data[start:end] for start, end in pairwise(edges)],
    }


def play(reply: ReplyStream, chunks: Iterable[bytes]) -> list[Event]:
    """Return all events of a reply, driven as a worker drives it."""
    splitter = FrameSplitter()
    return play_frames(reply, (frame for chunk in chunks for frame in splitter.feed(chunk)))


def play_frames(reply: ReplyStream, frames: Iterable[Frame]) -> list[Event]:
    """Return all events of a reply to these frames; a stream without an end was cut."""
    events = reply.start()
    try:
        for frame in frames:
            if reply.ended:
                break
            events += reply.feed(frame)
        if not reply.ended:
            raise UpstreamTruncated("the backend's stream broke off")
    except CodexiaError as error:
        events += reply.fail(error)
    return events
