"""The events of an Anthropic message stream, as payloads.

Their order is https://docs.anthropic.com/en/docs/build-with-claude/streaming:
`message_start`, then per block `content_block_start`, deltas and `content_block_stop`, then
`message_delta` and `message_stop`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from codexia.codex.usage import Usage
    from codexia.sse import Event

MESSAGE_STOP: Final = {"type": "message_stop"}
PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'

REFUSAL_DETAILS: Final = {"type": "refusal", "category": None, "explanation": None}
APPLIED_EDITS: Final[dict[str, list[str]]] = {"applied_edits": []}
"""What is said of `context_management`: no edit was made."""


def message_start(
    message_id: str, model: str, input_tokens: int, *, manages_context: bool
) -> dict[str, Any]:
    """Return the first event. Clients read every usage field, so none may be missing."""
    message: dict[str, Any] = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": {
            "input_tokens": input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"thinking_tokens": 0},
            "server_tool_use": None,
            "service_tier": "standard",
            "speed": "standard",
            "inference_geo": None,
        },
    }
    if manages_context:
        message["context_management"] = APPLIED_EDITS
    return {"type": "message_start", "message": message}


def message_delta(
    stop_reason: str, usage: dict[str, Any], *, stop_sequence: str | None, manages_context: bool
) -> dict[str, Any]:
    """Return the event that says why the message ended and what it cost in all."""
    event: dict[str, Any] = {
        "type": "message_delta",
        "delta": {
            "stop_reason": stop_reason,
            "stop_sequence": stop_sequence,
            "stop_details": REFUSAL_DETAILS if stop_reason == "refusal" else None,
            "container": None,
        },
        "usage": usage,
    }
    if manages_context:
        event["context_management"] = APPLIED_EDITS
    return event


def total_usage(usage: Usage, web_searches: int = 0) -> dict[str, Any]:
    """Return cumulative usage; clients let it overwrite what `message_start` guessed.

    Anthropic counts cached tokens beside `input_tokens`, the backend counts them in.
    """
    fresh = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    total: dict[str, Any] = {
        "input_tokens": max(0, fresh),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }
    if web_searches:
        total["server_tool_use"] = {"web_search_requests": web_searches, "web_fetch_requests": 0}
    return total


@dataclass(slots=True)
class BlockWriter:
    """Numbers content blocks from 0 without gaps and keeps at most one open.

    Attributes:
        index: number of the last block, -1 before the first.
        kind: type of the open block, "" while none is.
        sent_chars: characters of all deltas so far.
    """

    index: int = field(default=-1, init=False)
    kind: str = field(default="", init=False)
    sent_chars: int = field(default=0, init=False)

    def start(self, block: dict[str, Any]) -> Event:
        """Return the event that opens a block; none may be open."""
        self.index += 1
        self.kind = block["type"]
        return {"type": "content_block_start", "index": self.index, "content_block": block}

    def delta(self, kind: str, key: str, value: str) -> Event:
        """Return the event that adds text to the open block."""
        self.sent_chars += len(value)
        return {
            "type": "content_block_delta",
            "index": self.index,
            "delta": {"type": kind, key: value},
        }

    def cite(self, citation: dict[str, Any]) -> Event:
        """Return the event that adds a citation to the open text block."""
        delta = {"type": "citations_delta", "citation": citation}
        return {"type": "content_block_delta", "index": self.index, "delta": delta}

    def stop(self) -> list[Event]:
        """Return the event that closes the open block, if one is."""
        if not self.kind:
            return []
        self.kind = ""
        return [{"type": "content_block_stop", "index": self.index}]

    def whole(self, block: dict[str, Any]) -> list[Event]:
        """Return the events of a block that comes complete in its start."""
        return [self.start(block), *self.stop()]
