"""The protocols that a stream can be asked for and arrive in, and what a right one looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.scenario import Scenario

MODEL = "gpt-5.5"


class WrongStream(Exception):
    """A stream did not arrive as it was sent."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: its name, and its data, undecoded."""

    event: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol.

    Attributes:
        path: where it is served.
        body: the request with this prompt.
        delta: the text of a frame, None where the frame is not a text delta.
        is_terminal: whether a frame ends the stream.
    """

    path: str
    body: Callable[[str], dict[str, Any]]
    delta: Callable[[Frame], str | None]
    is_terminal: Callable[[Frame], bool]


def check_stream(dialect: Dialect, content: bytes, scenario: Scenario) -> None:
    """Check number and text of the deltas, and that the one terminal event comes last.

    Raises:
        WrongStream: something is missing, doubled or changed.
    """
    frames = [_frame(block) for block in content.split(b"\n\n") if block]
    terminals = sum(dialect.is_terminal(frame) for frame in frames)
    if terminals != 1 or not dialect.is_terminal(frames[-1]):
        raise WrongStream(f"{terminals} terminal events, tail {content[-200:]!r}")
    try:
        deltas = [text for frame in frames if (text := dialect.delta(frame)) is not None]
    except (orjson.JSONDecodeError, LookupError) as error:
        raise WrongStream(f"an event of another shape: {error}") from error
    if len(deltas) != scenario.deltas:
        raise WrongStream(f"{len(deltas)} deltas, not {scenario.deltas}")
    if "".join(deltas) != scenario.text:
        raise WrongStream("the text is not the one that was sent")


def _frame(block: bytes) -> Frame:
    head, _, tail = block.rpartition(b"data: ")
    return Frame(head.removeprefix(b"event: ").rstrip(b"\n"), tail)


def _messages_body(prompt: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": MODEL, "max_tokens": 1000, "stream": True, "messages": messages}


def _messages_delta(frame: Frame) -> str | None:
    if frame.event != b"content_block_delta":
        return None
    return orjson.loads(frame.data)["delta"].get("text")


def _chat_body(prompt: str) -> dict[str, Any]:
    return {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": prompt}]}


def _chat_delta(frame: Frame) -> str | None:
    if frame.data == b"[DONE]":
        return None
    choices = orjson.loads(frame.data)["choices"]
    return (choices[0]["delta"].get("content") or None) if choices else None


def _responses_body(prompt: str) -> dict[str, Any]:
    # Agents say `store: false`; storing the answer is no part of what is measured.
    return {"model": MODEL, "stream": True, "input": prompt, "store": False}


def _responses_delta(frame: Frame) -> str | None:
    if frame.event != b"response.output_text.delta":
        return None
    return orjson.loads(frame.data)["delta"]


def _ends_response(frame: Frame) -> bool:
    return frame.event in {b"response.completed", b"response.incomplete", b"response.failed"}


DIALECTS = {
    "messages": Dialect(
        "/v1/messages",
        _messages_body,
        _messages_delta,
        lambda frame: frame.event == b"message_stop",
    ),
    "chat": Dialect(
        "/v1/chat/completions", _chat_body, _chat_delta, lambda frame: frame.data == b"[DONE]"
    ),
    "responses": Dialect("/v1/responses", _responses_body, _responses_delta, _ends_response),
}
