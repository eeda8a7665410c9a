"""Requests as agents send them: many tools and a long history, in each dialect's own words."""

from __future__ import annotations

from typing import Any

import orjson

from bench.dialects import DIALECTS, MODEL
from bench.job import PROMPT

TOOLS = 20
TOOL_SHARE = 0.15
SYSTEM_SHARE = 0.05
TURNS = 20
LINE = "    result = compute(value, limit=limit)  # line as there are many, number "


def request_body(dialect: str, size_bytes: int) -> str:
    """Return a request as JSON text.

    Args:
        dialect: whose.
        size_bytes: about how long; 0 for one sentence and nothing else.
    """
    if not size_bytes:
        return orjson.dumps(DIALECTS[dialect].body(PROMPT)).decode()
    parts = _Parts(size_bytes)
    build = {"messages": _messages, "chat": _chat, "responses": _responses}[dialect]
    return orjson.dumps({"model": MODEL, "stream": True, **build(parts)}).decode()


class _Parts:
    """What a request consists of, whatever the dialect.

    Attributes:
        system: instructions.
        tools: name, description and schema of each tool.
        turns: id of a call, its arguments and its result, of each turn so far.
    """

    def __init__(self, size_bytes: int) -> None:
        described = int(size_bytes * TOOL_SHARE) // TOOLS
        result = int(size_bytes * (1 - TOOL_SHARE - SYSTEM_SHARE)) // TURNS
        self.system = _filler("instructions", int(size_bytes * SYSTEM_SHARE))
        self.tools = [
            (f"tool_{number}", _filler(f"tool {number}", described), _schema())
            for number in range(TOOLS)
        ]
        self.turns = [
            (f"call_{turn}", {"path": f"src/file_{turn}.py"}, _filler(f"file {turn}", result))
            for turn in range(TURNS)
        ]


def _messages(parts: _Parts) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "read the files"}]
    for call_id, arguments, result in parts.turns:
        used = {"type": "tool_use", "id": call_id, "name": "tool_0", "input": arguments}
        told = {"type": "tool_result", "tool_use_id": call_id, "content": result}
        messages.append({"role": "assistant", "content": [used]})
        messages.append({"role": "user", "content": [told]})
    messages.append({"role": "assistant", "content": "that is all of them"})
    messages.append({"role": "user", "content": PROMPT})
    tools = [
        {"name": name, "description": text, "input_schema": schema}
        for name, text, schema in parts.tools
    ]
    return {"max_tokens": 1000, "system": parts.system, "messages": messages, "tools": tools}


def _chat(parts: _Parts) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": parts.system},
        {"role": "user", "content": "read the files"},
    ]
    for call_id, arguments, result in parts.turns:
        function = {"name": "tool_0", "arguments": orjson.dumps(arguments).decode()}
        call = {"id": call_id, "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call_id, "content": result})
    messages.append({"role": "assistant", "content": "that is all of them"})
    messages.append({"role": "user", "content": PROMPT})
    tools = [
        {
            "type": "function",
            "function": {"name": name, "description": text, "parameters": schema},
        }
        for name, text, schema in parts.tools
    ]
    return {"messages": messages, "tools": tools}


def _responses(parts: _Parts) -> dict[str, Any]:
    items: list[dict[str, Any]] = [_message("user", "input_text", "read the files")]
    for call_id, arguments, result in parts.turns:
        told = orjson.dumps(arguments).decode()
        call = {"type": "function_call", "call_id": call_id, "name": "tool_0", "arguments": told}
        items += [call, {"type": "function_call_output", "call_id": call_id, "output": result}]
    items.append(_message("assistant", "output_text", "that is all of them"))
    items.append(_message("user", "input_text", PROMPT))
    tools = [
        {"type": "function", "name": name, "description": text, "parameters": schema}
        for name, text, schema in parts.tools
    ]
    return {"instructions": parts.system, "input": items, "tools": tools, "store": False}


def _message(role: str, kind: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _schema() -> dict[str, Any]:
    path = {"type": "string", "description": "the file"}
    return {
        "type": "object",
        "properties": {"path": path, "limit": {"type": "integer"}},
        "required": ["path"],
        "additionalProperties": False,
    }


def _filler(name: str, chars: int) -> str:
    lines = chars // (len(LINE) + 7) + 1
    return f"{name}\n" + "".join(f"{LINE}{number:06d}\n" for number in range(lines))
