"""The events of a message stream, put together to one message.

The rules are those by which the official SDKs accumulate a stream, so that an answer is the
same whether it was streamed or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from codexia.errors import UpstreamError
from codexia.sse import Frame

if TYPE_CHECKING:
    from codexia.sse import Event


@dataclass(slots=True)
class MessageCollector:
    """A `Collector` of the Messages dialect.

    Attributes:
        message: as far as it is known.
        _texts: pieces of the open block's text, joined when it closes.
    """

    message: dict[str, Any] = field(default_factory=dict[str, Any], init=False)
    _texts: list[str] = field(default_factory=list[str], init=False)

    def add(self, event: Event) -> None:
        """Take one event of a message stream.

        Raises:
            UpstreamError: a tool was called with something that is not a JSON object.
        """
        payload = event.json() if isinstance(event, Frame) else event
        match payload["type"]:
            case "message_start":
                start = payload["message"]
                self.message = {**start, "content": [], "usage": dict(start["usage"])}
            case "content_block_start":
                self.message["content"].append(dict(payload["content_block"]))
            case "content_block_delta":
                self._add_delta(self.message["content"][-1], payload["delta"])
            case "content_block_stop":
                self._close(self.message["content"][-1])
            case "message_delta":
                self._end(payload)
            case _:
                pass

    def result(self) -> dict[str, Any]:
        """Return the message."""
        return self.message

    def _add_delta(self, block: dict[str, Any], delta: dict[str, Any]) -> None:
        match delta["type"]:
            case "text_delta":
                self._texts.append(delta["text"])
            case "thinking_delta":
                self._texts.append(delta["thinking"])
            case "input_json_delta":
                self._texts.append(delta["partial_json"])
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "citations_delta":
                block.setdefault("citations", []).append(delta["citation"])
            case _:
                pass

    def _close(self, block: dict[str, Any]) -> None:
        text = "".join(self._texts)
        self._texts.clear()
        match block["type"]:
            case "text" | "thinking" as kind:
                block[kind] += text
            case "tool_use" | "server_tool_use" if text:
                block["input"] = _tool_input(text)
            case _:
                pass

    def _end(self, event: dict[str, Any]) -> None:
        self.message.update(event["delta"])
        self.message["usage"].update(event["usage"])
        if "context_management" in event:
            self.message["context_management"] = event["context_management"]


def _tool_input(text: str) -> dict[str, Any]:
    try:
        # A call that was cut off at the output limit keeps what came of it.
        arguments = from_json(text, allow_partial=True)
    except ValueError as error:
        raise UpstreamError("the backend called a tool with arguments that are not JSON") from error
    if not isinstance(arguments, dict):
        raise UpstreamError("the backend called a tool with arguments that are not a JSON object")
    return arguments  # pyright: ignore[reportUnknownVariableType]
