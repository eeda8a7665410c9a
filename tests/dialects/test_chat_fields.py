"""How each field of a Chat Completions body reaches the backend, or does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.chat_bodies import (
    CODEX_TOOL,
    SCHEMA,
    TOOL,
    codex_body,
)

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
