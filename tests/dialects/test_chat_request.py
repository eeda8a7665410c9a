"""Chat Completions bodies that are refused, and the session they belong to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from codexia.dialects.chat import CHAT
from codexia.errors import BadRequest
from tests.dialects.chat_bodies import (
    HI,
    PIXEL,
    SCHEMA,
    TOOL,
    codex_body,
    function_call,
)
from tests.dialects.openai_mutations import refusal, spoilt


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        pytest.param({"model": None}, "model", "missing_required_parameter", id="no model"),
        pytest.param({"model": 5}, "model", "invalid_type", id="model not text"),
        pytest.param(
            {"messages": None}, "messages", "missing_required_parameter", id="no messages"
        ),
        pytest.param({"messages": []}, "messages", "empty_array", id="empty messages"),
        pytest.param({"messages": "hi"}, "messages", "invalid_type", id="messages not a list"),
        pytest.param(
            {"messages": ["hi"]}, "messages[0]", "invalid_type", id="message not an object"
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": 5}]},
            "messages[0].content",
            "invalid_type",
            id="content of the wrong type",
        ),
        pytest.param(
            {"messages": [HI, {"role": "user"}]},
            "messages[1].content",
            "missing_required_parameter",
            id="user message without content",
        ),
        pytest.param(
            {"messages": [{"role": "wizard", "content": "x"}]},
            "messages[0].role",
            "invalid_value",
            id="unknown role",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages[0].content[0].type",
            "unsupported_parameter",
            id="input_audio",
        ),
        pytest.param(
            {
                "messages": [
                    {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}
                ]
            },
            "messages[0].content[0].file.file_id",
            "unsupported_parameter",
            id="file_id",
        ),
        pytest.param(
            {"messages": [{"role": "system", "content": [{"type": "image_url"}]}, HI]},
            "messages[0].content[0].type",
            "invalid_value",
            id="an image in a system message",
        ),
        pytest.param(
            {"messages": [HI, {"role": "tool", "content": "x"}]},
            "messages[1].tool_call_id",
            "missing_required_parameter",
            id="tool result without an id",
        ),
        pytest.param({"n": 2}, "n", "unsupported_value", id="n over 1"),
        pytest.param(
            {"modalities": ["text", "audio"]}, "modalities", "unsupported_parameter", id="audio"
        ),
        pytest.param(
            {"tools": [{"type": "function"}]},
            "tools[0].function",
            "missing_required_parameter",
            id="function tool without a function",
        ),
        pytest.param(
            {"tools": [TOOL], "tool_choice": "maybe"},
            "tool_choice",
            "invalid_value",
            id="tool_choice",
        ),
        pytest.param(
            {"response_format": {"type": "yaml"}},
            "response_format.type",
            "invalid_value",
            id="response_format",
        ),
        pytest.param({"stop": [1]}, "stop[0]", "invalid_type", id="stop"),
        pytest.param({"stream": "yes"}, "stream", "invalid_type", id="stream"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        codex_body(**fields)

    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize(
    "header", ["x-session-affinity", "x-session-id", "session_id", "session-id"]
)
def test_a_session_header_is_the_cache_key(header: str) -> None:
    assert codex_body({header: "conversation-7"})["prompt_cache_key"] == "conversation-7"


def test_without_a_session_the_cache_key_stays_over_a_conversation() -> None:
    first = codex_body()
    second = codex_body(messages=[HI, {"role": "assistant", "content": "yes"}, HI])

    assert first["prompt_cache_key"] == second["prompt_cache_key"]
    assert first["prompt_cache_key"] != codex_body(model="gpt-5.4")["prompt_cache_key"]


def test_a_call_id_over_the_limit_is_shortened_alike_in_call_and_result() -> None:
    long_id = "call_" + "x" * 80
    body = codex_body(
        messages=[
            HI,
            {"role": "assistant", "tool_calls": [function_call(long_id)]},
            {"role": "tool", "tool_call_id": long_id, "content": "out"},
        ]
    )

    _, call, output = body["input"]
    assert call["call_id"] == output["call_id"]
    assert len(call["call_id"]) <= 64


EVERYTHING = {
    "model": "gpt-5.5",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "s"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "t"},
                {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                {"type": "file", "file": {"filename": "a", "file_data": "data:,x"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "r"}],
            "refusal": "no",
            "tool_calls": [
                function_call(),
                {"id": "call_2", "type": "custom", "custom": {"name": "p", "input": "x"}},
            ],
            "function_call": {"name": "g", "arguments": "{}"},
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "out"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "out"}]},
        {"role": "function", "name": "g", "content": "out"},
    ],
    "tools": [
        TOOL,
        {
            "type": "custom",
            "custom": {
                "name": "p",
                "description": "d",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}},
            },
        },
        {"type": "web_search"},
    ],
    "functions": [{"name": "g", "parameters": SCHEMA}],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "auto",
            "tools": [{"type": "function", "function": {"name": "f"}}],
        },
    },
    "function_call": {"name": "g"},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": SCHEMA, "strict": True, "description": "d"},
    },
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"country": "DE"}},
    },
    "reasoning": {"effort": "low"},
    "reasoning_effort": "low",
    "verbosity": "low",
    "service_tier": "auto",
    "prompt_cache_key": "k",
    "parallel_tool_calls": True,
    "stream": True,
    "stream_options": {"include_usage": True},
    "stop": ["a", "b"],
    "n": 1,
    "modalities": ["text"],
}


def test_the_body_with_everything_is_valid() -> None:
    assert codex_body(**EVERYTHING)["input"]


@settings(max_examples=1000)
@given(body=spoilt(EVERYTHING))
def test_a_spoilt_body_is_a_bad_request_or_none_at_all(body: dict[str, Any]) -> None:
    error = refusal(CHAT, body)

    assert error is None or (error.param and error.code)
