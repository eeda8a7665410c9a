"""What a Responses stream may look like."""

from __future__ import annotations

from typing import Any

from codexia.dialects.responses import RESPONSES
from codexia.sse import FrameSplitter
from tests.dialects.openai_judge import Reply, reply_to
from tests.dialects.transcripts import TRANSCRIPTS, frames

BODY = {"model": "gpt-5.5", "input": "hi", "stream": True}
GOOD = [name for name in TRANSCRIPTS if not name.startswith(("08", "22"))]
FAILING = [name for name in TRANSCRIPTS if name not in GOOD]
TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
CARRIERS = {"response.created", "response.in_progress", *TERMINAL}

# Members that https://www.openresponses.org/specification requires, null or not.
REQUIRED = {
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "incomplete_details",
    "model",
    "previous_response_id",
    "instructions",
    "output",
    "error",
    "tools",
    "tool_choice",
    "truncation",
    "parallel_tool_calls",
    "text",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "temperature",
    "reasoning",
    "usage",
    "max_output_tokens",
    "max_tool_calls",
    "store",
    "background",
    "service_tier",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
}
NULLABLE = {
    "completed_at",
    "incomplete_details",
    "previous_response_id",
    "instructions",
    "error",
    "reasoning",
    "usage",
    "max_output_tokens",
    "max_tool_calls",
    "safety_identifier",
    "prompt_cache_key",
}


def replied(name: str, **fields: Any) -> Reply:
    return reply_to(RESPONSES, {**BODY, **fields}, frames(TRANSCRIPTS[name]))


def assert_grammar(reply: Reply) -> None:
    """Accept: response.created, anything, exactly one terminal event; numbers from 0 without gaps."""
    written = FrameSplitter().feed(reply.wire)
    events = [event.json() for event in written]
    kinds = [event["type"] for event in events]
    assert kinds == [event.event for event in written]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert kinds.count("response.created") == 1
    assert kinds[0] == "response.created"
    assert [kind for kind in kinds if kind in TERMINAL] == kinds[-1:]
    assert not any(kind.startswith(("codex.", "responsesapi.")) for kind in kinds)
    carriers = [event["response"] for event in events if event["type"] in CARRIERS]
    assert len({response["id"] for response in carriers}) == 1
    for response in carriers:
        assert set(response) >= REQUIRED
        assert not {name for name in REQUIRED - NULLABLE if response[name] is None}
        assert response["safety_identifier"] is None
