"""How Chat Completions messages become instructions and input items."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.chat_bodies import (
    CODEX_CALL,
    HI,
    HI_ITEM,
    PIXEL,
    codex_body,
    function_call,
    message,
    said,
)

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
