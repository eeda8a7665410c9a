"""What an exchange brought, read after the clock has stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httptools
import orjson

if TYPE_CHECKING:
    from bench.client import Exchange
    from bench.dialects import Dialect, Frame


@dataclass(slots=True)
class Arrival:
    """An answer, taken apart.

    Attributes:
        status: of HTTP, 0 where there was none.
        is_whole: the body came to its end.
        deltas: when each text delta was here as a whole, and its text.
        has_ended: the event that ends the stream is here.
        after_end: events after that.
        head: the beginning of the body.
        fault: why it cannot be read, "" where it can.
    """

    status: int = 0
    is_whole: bool = False
    deltas: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    has_ended: bool = False
    after_end: int = 0
    head: bytes = b""
    fault: str = ""


def read(exchange: Exchange, dialect: Dialect) -> Arrival:
    """Return what came; never fails, since whatever a server sends is a result."""
    arrival = Arrival()
    body = _Body()
    parser = httptools.HttpResponseParser(body)
    frames = _Frames()
    try:
        for at, piece in exchange.reads:
            body.pieces.clear()
            parser.feed_data(piece)
            for part in body.pieces:
                _take(arrival, frames.feed(part), dialect, at)
        arrival.status = parser.get_status_code()
    except httptools.HttpParserError as error:
        arrival.fault = f"not HTTP: {error}"
    except (orjson.JSONDecodeError, LookupError, TypeError) as error:
        arrival.status = parser.get_status_code()
        arrival.fault = f"an event of another shape: {error!r}"
    arrival.is_whole = body.is_whole or _ends_with_connection(body)
    arrival.head = frames.head
    return arrival


def _take(arrival: Arrival, frames: list[Frame], dialect: Dialect, at: float) -> None:
    for frame in frames:
        if arrival.has_ended:
            arrival.after_end += 1
        elif dialect.is_terminal(frame):
            arrival.has_ended = True
        elif text := dialect.delta(frame):
            arrival.deltas.append((at, text))


def _ends_with_connection(body: _Body) -> bool:
    return body.has_head and not body.is_framed


class _Body:
    """What httptools calls back."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.has_head = self.is_framed = self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        header = name.lower()
        chunked = header == b"transfer-encoding" and b"chunked" in value.lower()
        self.is_framed |= chunked or header == b"content-length"

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.is_whole = True


class _Frames:
    """Cuts a body into events, whichever of the line ends that SSE allows it has.

    Attributes:
        head: the beginning of the body.
    """

    def __init__(self) -> None:
        self.head = b""
        self._rest = b""

    def feed(self, part: bytes) -> list[Frame]:
        if len(self.head) < 300:
            self.head += part[: 300 - len(self.head)]
        text = self._rest + part
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        *blocks, self._rest = text.split(b"\n\n")
        return [frame for block in blocks if (frame := _frame(block)) is not None]


def _frame(block: bytes) -> Frame | None:
    event = content = b""
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            content += value.removeprefix(b" ")
        elif name == b"event":
            event = value.strip()
    return (event, content) if content else None
