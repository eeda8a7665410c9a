"""The backend's events in short, and the Anthropic message that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codexia.dialects.messages import MESSAGES
from codexia.dialects.messages_collect import MessageCollector
from tests.dialects.messages_grammar import accept
from tests.dialects.transcripts import context, frame, play_frames

if TYPE_CHECKING:
    from codexia.dialects.dialect import ReplyStream
    from codexia.sse import Frame

BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "hi"}],
}
THINKING = {"thinking": {"type": "adaptive"}}
USAGE = {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}}


def reply(**fields: Any) -> ReplyStream:
    return MESSAGES.translate({**BODY, **fields}, context()).reply


def message_of(events: list[Any]) -> dict[str, Any]:
    accept(events)
    collector = MessageCollector()
    for event in events:
        collector.add(event)
    return collector.result()


def answer(*sent: Frame, **fields: Any) -> dict[str, Any]:
    return message_of(play_frames(reply(**fields), sent))


def added(item: dict[str, Any], index: int = 0) -> Frame:
    return frame(type="response.output_item.added", output_index=index, item=item)


def done(item: dict[str, Any], index: int = 0) -> Frame:
    return frame(type="response.output_item.done", output_index=index, item=item)


def delta(kind: str, text: str, index: int = 0, **fields: Any) -> Frame:
    return frame(type=f"response.{kind}.delta", output_index=index, delta=text, **fields)


def completed(*output: dict[str, Any], **fields: Any) -> Frame:
    response = {"status": "completed", "usage": USAGE, "output": list(output), **fields}
    return frame(type="response.completed", response=response)


def incomplete(reason: str) -> Frame:
    response = {
        "status": "incomplete",
        "usage": USAGE,
        "incomplete_details": {"reason": reason},
    }
    return frame(type="response.incomplete", response=response)


def spoken(*texts: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "role": "assistant", "content": content, **fields}


def called(arguments: str, key: str = "1", name: str = "f") -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": f"call_{key}",
        "name": name,
        "arguments": arguments,
    }


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def tool_block(key: str, arguments: dict[str, Any], name: str = "f") -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{key}", "name": name, "input": arguments}


REASONING = {
    "type": "reasoning",
    "encrypted_content": "ENC",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
}


def thought(text: str, part: int) -> Frame:
    return delta("reasoning_summary_text", text, summary_index=part)
