"""The recorded-shape transcripts beside this file, to be played byte for byte.

`PLAY[[03_parallel_tools]]` in the last user text names one by its stem. An `.sse` file is
a streamed body; an `.http` file is a whole response with its status line and headers.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib import resources

_ENCRYPTED = re.compile(rb'"encrypted_content":"([^"]+)"')


@dataclass(frozen=True, slots=True)
class StreamTranscript:
    """A streamed answer: its frames, whose concatenation is the file."""

    frames: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HttpTranscript:
    """An answer that is not a stream."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Transcript = StreamTranscript | HttpTranscript


@functools.cache
def transcripts() -> dict[str, Transcript]:
    """Return every playable transcript by its stem."""
    found: dict[str, Transcript] = {}
    for name, content in _files():
        stem, _, suffix = name.rpartition(".")
        if suffix == "sse":
            found[stem] = StreamTranscript(tuple(_frames(content)))
        elif suffix == "http":
            found[stem] = _http(content)
    return found


@functools.cache
def transcript_encrypted_contents() -> frozenset[str]:
    """Return each `encrypted_content` in the transcripts: clients may send these back."""
    return frozenset(
        match.decode() for _, content in _files() for match in _ENCRYPTED.findall(content)
    )


def _files() -> list[tuple[str, bytes]]:
    folder = resources.files("codexia.simulator").joinpath("transcripts")
    return sorted((entry.name, entry.read_bytes()) for entry in folder.iterdir())


def _frames(content: bytes) -> list[bytes]:
    pieces = content.split(b"\n\n")
    frames = [piece + b"\n\n" for piece in pieces[:-1]]
    return [*frames, pieces[-1]] if pieces[-1] else frames


def _http(content: bytes) -> HttpTranscript:
    head, _, body = content.partition(b"\r\n\r\n")
    status_line, *header_lines = head.decode().splitlines()
    headers = tuple(
        (name, value.strip()) for name, _, value in (line.partition(":") for line in header_lines)
    )
    return HttpTranscript(int(status_line.split()[1]), headers, body)
