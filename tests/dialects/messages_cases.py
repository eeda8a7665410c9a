"""Anthropic requests, and what the backend gets for them."""

from __future__ import annotations

from typing import Any

from codexia.dialects.messages import MESSAGES
from tests.dialects.transcripts import context

BASE: dict[str, Any] = {
    "model": "gpt-5.5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}
HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
WEATHER_FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
CODEX_BASE: dict[str, Any] = {
    "model": "gpt-5.5",
    "instructions": "",
    "input": [HI],
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
}


def codex_body(headers: dict[str, str] | None = None, /, **fields: Any) -> dict[str, Any]:
    translation = MESSAGES.translate({**BASE, **fields}, context(**(headers or {})))
    assert translation.request is not None
    return translation.request.body


def without_key(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "prompt_cache_key"}


def user(*blocks: dict[str, Any] | str) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def items(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return codex_body(messages=list(messages))["input"]


def shown(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(parts)}


def text(value: str) -> dict[str, Any]:
    return {"type": "input_text", "text": value}


def said(value: str) -> dict[str, Any]:
    return shown({"type": "output_text", "text": value}, role="assistant")


def call(name: str = "get_weather", arguments: str = '{"city":"Oslo"}', key: str = "1") -> Any:
    return {
        "type": "function_call",
        "call_id": f"call_{key}",
        "name": name,
        "arguments": arguments,
    }


def output(value: Any, key: str = "1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": f"call_{key}", "output": value}


TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}


def tool_result(**fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", **fields}
