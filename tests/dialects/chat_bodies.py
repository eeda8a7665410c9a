"""Chat Completions bodies in pieces, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codexia.dialects.chat import CHAT
from tests.dialects.transcripts import context

HI = {"role": "user", "content": "hi"}
HI_ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
CODEX_TOOL = {
    "type": "function",
    "name": "f",
    "description": "d",
    "parameters": SCHEMA,
    "strict": False,
}


def codex_body(headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    body = {"model": "gpt-5.5", "messages": [HI], **fields}
    translation = CHAT.translate(body, replace(context(), headers=headers or {}))
    assert translation.request is not None
    return translation.request.body


def message(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(parts)}


def said(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return message(role, {"type": kind, "text": text})


def function_call(call_id: str = "call_1") -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": "f", "arguments": '{"a":"b"}'},
    }


CODEX_CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a":"b"}'}
