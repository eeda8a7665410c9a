"""What a complete Anthropic message stream looks like, as an acceptor."""

from __future__ import annotations

from typing import Any

DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
}
"""Deltas by block type; blocks of any other type come whole."""


def accept(events: list[dict[str, Any]]) -> None:
    """Fail unless the events are one message, or one that an error broke off."""
    first, *body, last = events
    assert first["type"] == "message_start"
    assert first["message"]["content"] == []
    if last["type"] == "message_stop":
        assert body.pop()["type"] == "message_delta"
    else:
        assert last["type"] == "error"
        assert {"type", "message"} <= last["error"].keys()
    index, kind, signed = -1, "", False
    for event in body:
        match event["type"]:
            case "content_block_start":
                assert not kind, "two blocks are open"
                index, kind, signed = index + 1, event["content_block"]["type"], False
            case "content_block_delta":
                assert event["delta"]["type"] in DELTAS.get(kind, ())
                assert not signed, "a delta follows the signature"
                signed = event["delta"]["type"] == "signature_delta"
            case "content_block_stop":
                assert kind, "no block is open"
                kind = ""
            case other:
                raise AssertionError(other)
        assert event["index"] == index
    assert not kind or last["type"] == "error", "a block is open at the end"
