"""The protocols that a stream can be asked for and arrive in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

DialectName = Literal["messages", "chat", "responses"]

MODEL = "gpt-5.5"

Frame: TypeAlias = "tuple[bytes, bytes]"
"""One event: its name, b"" where it has none, and its data, undecoded."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol.

    Attributes:
        path: where Codexia serves it.
        body: the request with this prompt.
        delta: the text of a frame, "" where the frame is not a text delta.
        is_terminal: whether a frame ends the stream as it should end.
    """

    path: str
    body: Callable[[str], dict[str, Any]]
    delta: Callable[[Frame], str]
    is_terminal: Callable[[Frame], bool]


def _name(frame: Frame) -> bytes:
    """Return the name of an event, which some servers say in the data only."""
    event, content = frame
    return event or orjson.loads(content).get("type", "").encode()


def _messages_body(prompt: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": MODEL, "max_tokens": 1000, "stream": True, "messages": messages}


def _messages_delta(frame: Frame) -> str:
    if _name(frame) != b"content_block_delta":
        return ""
    return orjson.loads(frame[1])["delta"].get("text", "")


def _chat_body(prompt: str) -> dict[str, Any]:
    return {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": prompt}]}


def _chat_delta(frame: Frame) -> str:
    _, content = frame
    if content == b"[DONE]":
        return ""
    choices = orjson.loads(content)["choices"]
    return (choices[0]["delta"].get("content") or "") if choices else ""


def _responses_body(prompt: str) -> dict[str, Any]:
    # Agents say `store: false`; storing the answer is no part of what is measured.
    return {"model": MODEL, "stream": True, "input": prompt, "store": False}


def _responses_delta(frame: Frame) -> str:
    if _name(frame) != b"response.output_text.delta":
        return ""
    return orjson.loads(frame[1])["delta"]


DIALECTS = {
    "messages": Dialect(
        "/v1/messages",
        _messages_body,
        _messages_delta,
        lambda frame: _name(frame) == b"message_stop",
    ),
    "chat": Dialect(
        "/v1/chat/completions", _chat_body, _chat_delta, lambda frame: frame[1] == b"[DONE]"
    ),
    "responses": Dialect(
        "/v1/responses",
        _responses_body,
        _responses_delta,
        lambda frame: _name(frame) == b"response.completed",
    ),
}
