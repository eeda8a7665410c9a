from __future__ import annotations

from typing import Any

import pytest

from codexia.dialects.messages import MESSAGES
from codexia.errors import BadRequest, anthropic_envelope
from tests.dialects.messages_cases import BASE, TOOL_USE, WEATHER, assistant, user
from tests.dialects.transcripts import context

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no max_tokens": ({"max_tokens": None}, "max_tokens: Field required"),
    "text max_tokens": ({"max_tokens": "a"}, "max_tokens: Input should be a valid integer"),
    "bool max_tokens": ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    "negative max_tokens": (
        {"max_tokens": -1},
        "max_tokens: Input should be greater than or equal to 0",
    ),
    "no model": ({"model": None}, "model: Field required"),
    "no messages": ({"messages": None}, "messages: Field required"),
    "empty messages": ({"messages": []}, "messages: at least one message is required"),
    "messages object": ({"messages": {}}, "messages: Input should be a valid list"),
    "message string": ({"messages": ["x"]}, "messages.0: Input should be a valid dictionary"),
    "role": (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages.0.role: Input should be 'user', 'assistant' or 'system'",
    ),
    "no role": ({"messages": [{"content": "x"}]}, "messages.0.role: Field required"),
    "no content": ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    "no block type": (
        {"messages": [user({"text": "x"})]},
        "messages.0.content.0.type: Field required",
    ),
    "no text": (
        {"messages": [user({"type": "text"})]},
        "messages.0.content.0.text.text: Field required",
    ),
    "tool input": (
        {"messages": [assistant({**TOOL_USE, "input": "x"})]},
        "messages.0.content.0.tool_use.input: Input should be a valid dictionary",
    ),
    "image file": (
        {
            "messages": [
                user({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
            ]
        },
        (
            "messages.0.content.0.image.source.type: there is no Files API here; "
            "send the content as base64"
        ),
    ),
    "stream": ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    "stop sequence": (
        {"stop_sequences": ["a", 1]},
        "stop_sequences.1: Input should be a valid string",
    ),
    "no schema": (
        {"tools": [{"name": "x"}]},
        "tools.0.custom.input_schema: Field required",
    ),
    "choice": (
        {"tools": [WEATHER], "tool_choice": {"type": "some"}},
        "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'",
    ),
    "choice of no tool": (
        {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}},
        "tool_choice.name: Tool 'x' not found in provided tools",
    ),
    "choice of a dropped tool": (
        {
            "tools": [WEATHER, {"type": "web_fetch_20250910", "name": "web_fetch"}],
            "tool_choice": {"type": "tool", "name": "web_fetch"},
        },
        "tool_choice.name: there is no equivalent of the tool 'web_fetch' here",
    ),
    "any of dropped tools": (
        {
            "tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}],
            "tool_choice": {"type": "any"},
        },
        "tool_choice.type: no equivalent of web_fetch here",
    ),
    "mcp servers": (
        {"mcp_servers": [{"type": "url", "url": "https://a.test"}]},
        "mcp_servers: there is no equivalent here; leave it out",
    ),
    "budget": (
        {"thinking": {"type": "enabled"}},
        "thinking.budget_tokens: Field required",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_fault(case):
    fields, message = FAULTS[case]
    with pytest.raises(BadRequest) as caught:
        MESSAGES.translate({**BASE, **fields}, context())
    assert caught.value.message == message
    assert message.startswith(f"{caught.value.param}: ")


def test_threads_are_refused_in_the_way_that_makes_the_sdk_resend_the_history():
    with pytest.raises(BadRequest) as caught:
        MESSAGES.translate({**BASE, "thread": {"type": "create"}}, context())
    error = anthropic_envelope(caught.value, "req_1")["error"]
    assert error["type"] == "invalid_request_error"
    assert error["details"] == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["thread"],
    }


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"properties": value, "type": "object"}
    return value


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"name": "x", "input_schema": nested(900)}]},
        {"tools": [{**WEATHER, "input_examples": [nested(900)]}]},
        {"messages": [assistant({**TOOL_USE, "input": nested(900)})]},
        {"output_config": {"format": {"type": "json_schema", "schema": nested(900)}}},
    ],
    ids=["schema", "example", "input", "format"],
)
def test_what_the_encoder_could_not_write_is_refused(fields):
    with pytest.raises(BadRequest, match="nested too deeply"):
        MESSAGES.translate({**BASE, **fields}, context())
