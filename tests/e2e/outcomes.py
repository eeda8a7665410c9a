"""What one request came to, told in the same words for every dialect, streamed or whole."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from codexia.sse import FrameSplitter
from tests.e2e.streams import DIALECTS, PATHS, body, is_clean_end, is_error_end, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from codexia.sse import Frame


@dataclass(frozen=True, slots=True)
class Ask:
    """One way to ask: a dialect, streamed or not."""

    dialect: str
    stream: bool

    def __str__(self) -> str:
        return f"{self.dialect}-{'streamed' if self.stream else 'whole'}"


ASKS = tuple(Ask(dialect, stream) for dialect in DIALECTS for stream in (True, False))
STREAMED = tuple(ask for ask in ASKS if ask.stream)


@dataclass
class Outcome:
    """The answer to one request.

    Attributes:
        raw: the body as it came.
        ends: terminal events by kind, clean and error; empty for a whole answer.
        error: type, code and message of the error that the client was told, None without one.
        error_id: the request id that an Anthropic error carries.
    """

    ask: Ask
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    text: str = ""
    ends: Counter[str] = field(default_factory=Counter)
    error: dict[str, Any] | None = None
    error_id: str | None = None

    @property
    def whole(self) -> bool:
        """Whether this is a complete answer without any error."""
        ends = Counter(clean=1) if self.ask.stream else Counter()
        return self.status == 200 and self.error is None and self.ends == ends


async def outcome(http: aiohttp.ClientSession, url: str, ask: Ask, text: str) -> Outcome:
    """Ask one question and read all that comes of it."""
    async with http.post(
        url + PATHS[ask.dialect],
        data=orjson.dumps(body(ask.dialect, text, stream=ask.stream)),
        headers={"content-type": "application/json"},
    ) as reply:
        found = Outcome(ask, reply.status, reply.headers, await reply.read())
    if found.headers["content-type"].startswith("text/event-stream"):
        for frame in FrameSplitter().feed(found.raw):
            _add_frame(found, frame)
    else:
        _add_body(found, orjson.loads(found.raw))
    return found


async def outcomes(
    http: aiohttp.ClientSession, url: str, text: str, asks: tuple[Ask, ...] = ASKS
) -> list[Outcome]:
    """Ask the same in several ways at once."""
    return await asyncio.gather(*(outcome(http, url, ask, text) for ask in asks))


def _add_frame(found: Outcome, frame: Frame) -> None:
    dialect = found.ask.dialect
    clean, failed = is_clean_end(dialect, frame), is_error_end(dialect, frame)
    found.text += text_of(dialect, frame)
    found.ends += Counter(clean=int(clean), error=int(failed))
    if failed:
        payload = frame.json()
        found.error = payload["response"]["error"] if dialect == "responses" else payload["error"]
        found.error_id = payload.get("request_id")


def _add_body(found: Outcome, payload: dict[str, Any]) -> None:
    found.error = payload.get("error")
    found.error_id = payload.get("request_id")
    if found.status == 200:
        found.text = text_of_body(found.ask.dialect, payload)


def text_of_body(dialect: str, payload: dict[str, Any]) -> str:
    """Return the text of a whole answer."""
    match dialect:
        case "chat":
            return payload["choices"][0]["message"]["content"]
        case "responses":
            parts = [
                part
                for item in payload["output"]
                if item["type"] == "message"
                for part in item["content"]
            ]
        case _:
            parts = [part for part in payload["content"] if part["type"] == "text"]
    return "".join(part["text"] for part in parts)
