"""Many streams at once, their content checked to the last character."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from codexia.simulator.generate import stream_text
from codexia.sse import FrameSplitter

if TYPE_CHECKING:
    import asyncio

    from codexia.sse import Frame

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
DIALECTS = tuple(PATHS)


def body(dialect: str, text: str, *, stream: bool = True) -> dict[str, Any]:
    """Return a request of one dialect."""
    fields: dict[str, Any] = {"model": "gpt-5.5", "stream": stream}
    if dialect == "responses":
        # As agents say; what is stored has tests of its own.
        return {**fields, "input": text, "store": False}
    messages = [{"role": "user", "content": text}]
    return {**fields, "messages": messages} | (
        {"max_tokens": 9999} if dialect == "messages" else {}
    )


def text_of(dialect: str, frame: Frame) -> str:
    """Return the text that one event adds to the answer."""
    if frame.data == b"[DONE]":
        return ""
    event = frame.json()
    match dialect:
        case "chat":
            choices = event.get("choices") or [{"delta": {}}]
            return choices[0]["delta"].get("content") or ""
        case "responses":
            return event["delta"] if event["type"] == "response.output_text.delta" else ""
        case _:
            delta = event.get("delta") or {}
            return delta.get("text", "") if event["type"] == "content_block_delta" else ""


def is_clean_end(dialect: str, frame: Frame) -> bool:
    """Return whether an event ends a stream as it should."""
    if dialect == "chat":
        return frame.data == b"[DONE]"
    return frame.event in {"response.completed", "message_stop"}


def is_error_end(dialect: str, frame: Frame) -> bool:
    """Return whether an event ends a stream with an error."""
    if dialect == "chat":
        return frame.data.startswith(b'{"error"')
    return frame.event in {"response.failed", "error"}


@dataclass
class Received:
    """What one client saw.

    Attributes:
        ends: terminal events, clean and error.
        broken: how the connection failed, "" if it did not.
    """

    dialect: str
    status: int = 0
    text: str = ""
    ends: Counter[str] | None = None
    broken: str = ""
    first_byte: asyncio.Event | None = None

    @property
    def whole(self) -> bool:
        """Whether exactly one clean end came and nothing else went wrong."""
        return self.status == 200 and not self.broken and self.ends == Counter(clean=1)


async def receive(
    http: aiohttp.ClientSession, url: str, dialect: str, text: str, seen: Received | None = None
) -> Received:
    """Ask one streamed question and read the answer to its end."""
    received = seen or Received(dialect)
    received.ends = Counter()
    splitter = FrameSplitter()
    try:
        async with http.post(
            url + PATHS[dialect],
            data=orjson.dumps(body(dialect, text)),
            headers={"content-type": "application/json"},
        ) as reply:
            received.status = reply.status
            async for chunk in reply.content.iter_any():
                for frame in splitter.feed(chunk):
                    received.text += text_of(dialect, frame)
                    received.ends["clean"] += is_clean_end(dialect, frame)
                    received.ends["error"] += is_error_end(dialect, frame)
                if received.first_byte:
                    received.first_byte.set()
    except (aiohttp.ClientError, OSError) as error:
        received.broken = type(error).__name__
    received.ends = +received.ends
    return received


def paced(deltas: int, gap_ms: int, size: int = 8) -> tuple[str, str]:
    """Return a prompt for a paced stream, and the text that must come of it."""
    return f"STREAM[[deltas={deltas} gap_ms={gap_ms} size={size}]]", stream_text(deltas, size)


def session(headers: dict[str, str] | None = None) -> aiohttp.ClientSession:
    """Return a client with a connection of its own for every stream."""
    return aiohttp.ClientSession(
        headers=headers,
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=90),
    )
