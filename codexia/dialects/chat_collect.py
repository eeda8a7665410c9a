"""Chat Completions chunks as one `chat.completion` object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codexia.sse import Frame

if TYPE_CHECKING:
    from codexia.sse import Event

INPUT_FIELDS: Final = {"function": "arguments", "custom": "input", "function_call": "arguments"}
"""Where each form of call has its input."""


class ChatCollector:
    """A `Collector` that puts the chunks of a `ChatStream` together."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {"content": [], "refusal": [], "reasoning_content": []}
        self._calls: list[_Call] = []
        self._annotations: list[dict[str, Any]] = []
        self._finish_reason: str | None = None

    def add(self, event: Event) -> None:
        """Take one chunk; the end mark and an error object add nothing."""
        if isinstance(event, Frame) or "choices" not in event:
            return
        self._last = event
        for choice in event["choices"]:
            self._finish_reason = choice["finish_reason"]
            self._add_delta(choice["delta"])

    def result(self) -> dict[str, Any]:
        """Return the `chat.completion` object."""
        choice = {
            "index": 0,
            "message": self._message(),
            "logprobs": None,
            "finish_reason": self._finish_reason,
        }
        return {
            "id": self._last["id"],
            "object": "chat.completion",
            "created": self._last["created"],
            "model": self._last["model"],
            "choices": [choice],
            "usage": self._last.get("usage"),
        }

    def _add_delta(self, delta: dict[str, Any]) -> None:
        for field, pieces in self._texts.items():
            if field in delta:
                pieces.append(delta[field])
        for call in delta.get("tool_calls", ()):
            self._add_fragment(call["index"], call)
        if "function_call" in delta:
            self._add_fragment(0, delta)
        self._annotations += delta.get("annotations", ())

    def _add_fragment(self, index: int, fragment: dict[str, Any]) -> None:
        if index == len(self._calls):
            self._calls.append(_Call(fragment))
        kind, field = self._calls[index].kind, self._calls[index].field
        self._calls[index].fragments.append(fragment[kind][field])

    def _message(self) -> dict[str, Any]:
        content, refusal, reasoning = ("".join(pieces) for pieces in self._texts.values())
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content or (None if self._calls or refusal else ""),
            "refusal": refusal or None,
        }
        if reasoning:
            message["reasoning_content"] = reasoning
        calls = [call.whole() for call in self._calls]
        if calls and "function_call" in calls[0]:
            message |= calls[0]
        elif calls:
            message["tool_calls"] = calls
        if self._annotations:
            message["annotations"] = self._annotations
        return message


class _Call:
    """A call whose input comes in fragments.

    Attributes:
        kind: the member that describes it: `function`, `custom` or legacy `function_call`.
        field: the member of that which has its input.
    """

    def __init__(self, first: dict[str, Any]) -> None:
        self._first = first
        self.kind = next(kind for kind in INPUT_FIELDS if kind in first)
        self.field = INPUT_FIELDS[self.kind]
        self.fragments: list[str] = []

    def whole(self) -> dict[str, Any]:
        named = {name: self._first[name] for name in ("id", "type") if name in self._first}
        start = self._first[self.kind]
        return {**named, self.kind: {**start, self.field: "".join(self.fragments)}}
