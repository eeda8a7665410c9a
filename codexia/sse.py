"""Server-sent events as bytes: cutting a stream into frames, and writing frames.

The framing rules are https://html.spec.whatwg.org/multipage/server-sent-events.html:
lines end at CR, LF or CRLF and nowhere else, a blank line ends a frame, several `data:`
lines are joined by LF. JSON is decoded only when a frame is asked for its payload, so a
frame that nobody needs costs no decode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from codexia.errors import UpstreamTruncated

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FRAME_BYTES: Final = 96 * 1024 * 1024
"""Upper bound of one frame. Base64 images make frames of several MB; 64 MiB were seen."""


@dataclass(slots=True)  # not frozen: that makes each of them three times as dear
class Frame:
    """One event of a stream; nobody changes it.

    Attributes:
        event: the `event:` field, "" where there is none.
        data: the `data:` field, undecoded.
    """

    event: str
    data: bytes

    def json(self) -> dict[str, Any]:
        """Return the decoded payload.

        Raises:
            UpstreamTruncated: the payload is not a JSON object.
        """
        try:
            payload = orjson.loads(self.data)
        except orjson.JSONDecodeError as error:
            raise UpstreamTruncated("the backend sent an event that is not JSON") from error
        if not isinstance(payload, dict):
            raise UpstreamTruncated("the backend sent an event that is not a JSON object")
        return payload  # pyright: ignore[reportUnknownVariableType]


Event: TypeAlias = "dict[str, Any] | Frame"
"""What a translator emits: a payload to encode, or a frame that passes as it came."""

Encodable: TypeAlias = "Event | bytes"
"""An event, or the text of events that need no encoding any more."""


class FrameSplitter:
    """Cuts chunks of bytes into frames, wherever the chunks happen to break.

    `_scanned` is the position up to which the buffer is known to hold no frame end, so a
    large frame that arrives in many chunks is searched once and not once per chunk.
    """

    __slots__ = ("_buffer", "_saw_cr", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._saw_cr = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that this chunk completes, in order.

        Raises:
            UpstreamTruncated: one frame is larger than `MAX_FRAME_BYTES`.
        """
        return frames_in(self.complete(chunk))

    def complete(self, chunk: bytes) -> bytes:
        """Return the text of the frames that this chunk completes, its lines ended by LF.

        Raises:
            UpstreamTruncated: one frame is larger than `MAX_FRAME_BYTES`.
        """
        if self._saw_cr or 13 in chunk:
            self._saw_cr = True
            chunk = self._with_lf_only(chunk)
        if self._buffer:
            self._buffer += chunk
            if self._buffer.find(b"\n\n", self._scanned) == -1:
                return self._wait()
            chunk = bytes(self._buffer)
            self._buffer.clear()
        if chunk.endswith(b"\n\n"):
            return chunk
        end = chunk.rfind(b"\n\n") + 2
        if end < 2:
            self._buffer += chunk
            return self._wait()
        self._buffer += chunk[end:]
        self._wait()
        return chunk[:end]

    def _wait(self) -> bytes:
        """Return nothing: what is in the buffer waits for more."""
        self._scanned = max(0, len(self._buffer) - 1)
        if len(self._buffer) > MAX_FRAME_BYTES:
            raise UpstreamTruncated("the backend sent an event over the size limit")
        return b""

    def _with_lf_only(self, chunk: bytes) -> bytes:
        # A CR at the end may be the first half of a CRLF, so it waits for what follows.
        if self._buffer.endswith(b"\r"):
            self._buffer.pop()
            self._scanned = max(0, self._scanned - 1)
            chunk = b"\r" + chunk
        held = b"\r" if chunk.endswith(b"\r") else b""
        body = chunk[: len(chunk) - len(held)]
        return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held


def frames_in(text: bytes) -> list[Frame]:
    """Return the frames of a text of whole ones, its lines ended by LF."""
    frames: list[Frame] = []
    event = ""
    data: bytes | None = None
    for line in text.split(b"\n"):
        if line.startswith(b"data: "):
            data = line[6:] if data is None else data + b"\n" + line[6:]
        elif line.startswith(b"event: "):
            event = line[7:].decode("utf-8", "replace")
        elif line:
            field, _, value = line.partition(b":")
            if field == b"data":
                data = value if data is None else data + b"\n" + value
            elif field == b"event":
                event = value.decode("utf-8", "replace")
        else:
            if data is not None:
                frames.append(Frame(event or _type_of(data), data))
                data = None
            event = ""
    return frames


def _type_of(data: bytes) -> str:
    """Return the payload's own `type`, for streams that leave the `event:` line out."""
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError:
        return ""
    kind: object = payload.get("type") if isinstance(payload, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return kind if isinstance(kind, str) else ""


def named(events: Iterable[Encodable]) -> bytes:
    """Return events as `event:` + `data:` frames, named after their `type` (Anthropic, Responses).

    Anthropic's SDKs skip a frame without an `event:` line.
    """
    return b"".join(
        [
            event
            if isinstance(event, bytes)
            else b"event: %b\ndata: %b\n\n" % (event.event.encode(), event.data)
            if isinstance(event, Frame)
            else b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))
            for event in events
        ]
    )


def unnamed(events: Iterable[Encodable]) -> bytes:
    """Return events as bare `data:` frames (Chat Completions)."""
    return b"".join(
        [
            event
            if isinstance(event, bytes)
            else b"data: %b\n\n" % (event.data if isinstance(event, Frame) else orjson.dumps(event))
            for event in events
        ]
    )


COMMENT_PING: Final = b": ping\n\n"
"""A frame without data; every parser skips it, and it keeps idle connections open."""
