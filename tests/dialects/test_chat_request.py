"""Chat Completions bodies and the Codex bodies that they become, one case a rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from codexia.dialects.chat import CHAT
from codexia.errors import BadRequest
from tests.dialects.openai_mutations import refusal, spoilt
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

MESSAGES = [
    pytest.param([HI], "", [HI_ITEM], id="user text"),
    pytest.param(
        [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, HI],
        "a\n\nb",
        [HI_ITEM],
        id="leading system and developer messages are instructions",
    ),
    pytest.param(
        [
            {
                "role": "system",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            HI,
        ],
        "ab",
        [HI_ITEM],
        id="system text in parts",
    ),
    pytest.param(
        [HI, {"role": "system", "content": "later"}],
        "",
        [HI_ITEM, said("developer", "later")],
        id="a later system message stays in place as developer",
    ),
    pytest.param(
        [{"role": "system", "content": "only"}],
        "",
        [said("developer", "only")],
        id="a system message alone is input",
    ),
    pytest.param(
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                    {"type": "image_url", "image_url": PIXEL},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:,x"}},
                ],
            }
        ],
        "",
        [
            message(
                "user",
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": PIXEL, "detail": "low"},
                {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:,x"},
            )
        ],
        id="user parts",
    ),
    pytest.param(
        [HI, {"role": "assistant", "content": "yes", "reasoning_content": "hm"}, HI],
        "",
        [HI_ITEM, said("assistant", "yes"), HI_ITEM],
        id="assistant text, without its reasoning_content",
    ),
    pytest.param(
        [
            HI,
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}],
            },
        ],
        "",
        [
            HI_ITEM,
            message(
                "assistant",
                {"type": "output_text", "text": "a"},
                {"type": "refusal", "refusal": "no"},
            ),
        ],
        id="assistant parts",
    ),
    pytest.param(
        [HI, {"role": "assistant", "content": None, "refusal": "no"}],
        "",
        [HI_ITEM, message("assistant", {"type": "refusal", "refusal": "no"})],
        id="assistant refusal",
    ),
    pytest.param(
        [
            HI,
            {"role": "assistant", "content": None, "tool_calls": [function_call()]},
            {"role": "tool", "tool_call_id": "call_1", "content": "out"},
        ],
        "",
        [
            HI_ITEM,
            CODEX_CALL,
            {"type": "function_call_output", "call_id": "call_1", "output": "out"},
        ],
        id="tool call and result",
    ),
    pytest.param(
        [
            HI,
            {"role": "assistant", "content": "", "tool_calls": [function_call()]},
            {
                "role": "tool",
                "tool_call_id": "call_1",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
        ],
        "",
        [
            HI_ITEM,
            CODEX_CALL,
            {"type": "function_call_output", "call_id": "call_1", "output": "ab"},
        ],
        id="tool result in text parts is joined",
    ),
    pytest.param(
        [
            HI,
            {"role": "assistant", "tool_calls": [function_call()]},
            {
                "role": "tool",
                "tool_call_id": "call_1",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": PIXEL}},
                ],
            },
        ],
        "",
        [
            HI_ITEM,
            CODEX_CALL,
            {
                "type": "function_call_output",
                "call_id": "call_1",
                "output": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                ],
            },
        ],
        id="tool result with an image stays a list",
    ),
    pytest.param(
        [
            HI,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "custom", "custom": {"name": "p", "input": "x"}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "out"},
        ],
        "",
        [
            HI_ITEM,
            {"type": "custom_tool_call", "call_id": "call_1", "name": "p", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "out"},
        ],
        id="custom tool call and result",
    ),
    pytest.param(
        [
            HI,
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "f", "arguments": "{}"},
            },
            {"role": "function", "name": "f", "content": "out"},
        ],
        "",
        [
            HI_ITEM,
            {
                "type": "function_call",
                "call_id": "call_function_1",
                "name": "f",
                "arguments": "{}",
            },
            {"type": "function_call_output", "call_id": "call_function_1", "output": "out"},
        ],
        id="legacy function call and result get an id",
    ),
    pytest.param(
        [HI, {"role": "assistant", "content": None, "tool_calls": [function_call()]}, HI],
        "",
        [
            HI_ITEM,
            CODEX_CALL,
            {"type": "function_call_output", "call_id": "call_1", "output": "[interrupted]"},
            HI_ITEM,
        ],
        id="a call without a result counts as interrupted",
    ),
    pytest.param(
        [HI, {"role": "assistant", "content": ""}, HI],
        "",
        [HI_ITEM, HI_ITEM],
        id="an empty assistant message is left out",
    ),
]


@pytest.mark.parametrize(("messages", "instructions", "items"), MESSAGES)
def test_messages_become(
    messages: list[dict[str, Any]], instructions: str, items: list[dict[str, Any]]
) -> None:
    body = codex_body(messages=messages)

    assert body["instructions"] == instructions
    assert body["input"] == items


FIELDS = [
    pytest.param({}, {"model": "gpt-5.5", "store": False, "stream": True}, id="forced fields"),
    pytest.param({"model": "claude-opus-5-5"}, {"model": "gpt-5.5"}, id="model fallback"),
    pytest.param({"tools": [TOOL]}, {"tools": [CODEX_TOOL]}, id="function tool"),
    pytest.param(
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
        {
            "tools": [
                {
                    "type": "function",
                    "name": "f",
                    "description": "",
                    "parameters": {"type": "object", "properties": {}},
                    "strict": True,
                }
            ]
        },
        id="function tool without parameters",
    ),
    pytest.param(
        {
            "tools": [
                {
                    "type": "custom",
                    "custom": {
                        "name": "p",
                        "format": {
                            "type": "grammar",
                            "grammar": {"syntax": "lark", "definition": "start: A"},
                        },
                    },
                }
            ]
        },
        {
            "tools": [
                {
                    "type": "custom",
                    "name": "p",
                    "description": "",
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: A"},
                }
            ]
        },
        id="custom tool with a grammar",
    ),
    pytest.param(
        {"functions": [TOOL["function"]], "function_call": {"name": "f"}},
        {
            "tools": [CODEX_TOOL],
            "tool_choice": {"type": "function", "name": "f"},
            "parallel_tool_calls": False,
        },
        id="legacy functions",
    ),
    pytest.param(
        {"functions": [TOOL["function"]], "function_call": "none"},
        {"tool_choice": "none"},
        id="legacy function_call mode",
    ),
    *[
        pytest.param(
            {"tools": [TOOL], "tool_choice": mode}, {"tool_choice": mode}, id=f"tool_choice {mode}"
        )
        for mode in ("none", "auto", "required")
    ],
    pytest.param(
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": {"type": "function", "name": "f"}},
        id="tool_choice function",
    ),
    pytest.param(
        {"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "p"}}},
        {"tool_choice": {"type": "custom", "name": "p"}},
        id="tool_choice custom",
    ),
    pytest.param(
        {
            "tools": [{"type": "function", "function": {"name": "g"}}, TOOL],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            },
        },
        {"tools": [CODEX_TOOL], "tool_choice": "required"},
        id="tool_choice allowed_tools",
    ),
    pytest.param(
        {"tools": [TOOL], "parallel_tool_calls": False},
        {"parallel_tool_calls": False},
        id="parallel_tool_calls",
    ),
    pytest.param(
        {"response_format": {"type": "text"}},
        {"text": {"format": {"type": "text"}}},
        id="response_format text",
    ),
    pytest.param(
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_object"}}},
        id="response_format json_object",
    ),
    pytest.param(
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
            },
            "verbosity": "low",
        },
        {
            "text": {
                "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
                "verbosity": "low",
            }
        },
        id="response_format json_schema and verbosity",
    ),
    pytest.param(
        {"reasoning_effort": "high"},
        {"reasoning": {"summary": "auto", "effort": "high"}},
        id="reasoning_effort",
    ),
    pytest.param(
        {"reasoning_effort": "minimal"},
        {"reasoning": {"summary": "auto", "effort": "low"}},
        id="reasoning_effort that the model lacks",
    ),
    pytest.param(
        {"reasoning": {"effort": "medium"}},
        {"reasoning": {"summary": "auto", "effort": "medium"}},
        id="reasoning.effort",
    ),
    pytest.param({}, {"reasoning": {"summary": "auto"}}, id="no effort"),
    pytest.param(
        {
            "web_search_options": {
                "search_context_size": "low",
                "user_location": {"type": "approximate", "approximate": {"country": "DE"}},
            }
        },
        {
            "tools": [
                {
                    "type": "web_search",
                    "search_context_size": "low",
                    "user_location": {"type": "approximate", "country": "DE"},
                }
            ]
        },
        id="web_search_options",
    ),
    pytest.param({"service_tier": "priority"}, {"service_tier": "priority"}, id="service_tier"),
    pytest.param({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}, id="prompt_cache_key"),
]


@pytest.mark.parametrize(("fields", "expected"), FIELDS)
def test_fields_become(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    body = codex_body(**fields)

    assert {name: body.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "field",
    [
        {"temperature": 0.2},
        {"top_p": 0.5},
        {"max_tokens": 5},
        {"max_completion_tokens": 5},
        {"max_output_tokens": 5},
        {"presence_penalty": 1},
        {"frequency_penalty": 1},
        {"seed": 1},
        {"logit_bias": {"1": 2}},
        {"logprobs": True},
        {"top_logprobs": 2},
        {"user": "u"},
        {"metadata": {"a": "b"}},
        {"safety_identifier": "s"},
        {"store": True},
        {"prediction": {"type": "content", "content": "x"}},
        {"prompt_cache_retention": "24h"},
        {"moderation": {"model": "m"}},
        {"stream_options": {"include_usage": True}},
        {"n": 1},
        {"modalities": ["text"]},
        {"stop": "x"},
        {"thinking": {"type": "enabled"}},
        {"enable_thinking": True},
        {"top_k": 4},
        {"unheard_of": [1]},
        {"tool_choice": "auto"},
        {"parallel_tool_calls": True},
    ],
    ids=lambda field: next(iter(field)),
)
def test_a_field_without_effect_leaves_the_codex_body_alone(field: dict[str, Any]) -> None:
    assert codex_body(**field) == codex_body()


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
