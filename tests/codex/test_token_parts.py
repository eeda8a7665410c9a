"""What of a request is counted, and how."""

from __future__ import annotations

from typing import Any

import pytest

from codexia.codex.attachment_tokens import image_tokens
from codexia.codex.token_parts import MESSAGE_TOKENS, REPLY_TOKENS, token_parts

UNKNOWN_IMAGE = image_tokens("", "auto")


def parts_of(*items: dict[str, Any], **fields: Any) -> tuple[list[str], int]:
    """Return the texts of a request, and its other tokens but for what every request has."""
    parts = token_parts({"input": list(items), "instructions": "", **fields})
    return list(parts.texts), parts.counted_tokens - REPLY_TOKENS


def test_instructions_are_a_message_of_their_own():
    assert parts_of(instructions="be brief") == (["be brief"], MESSAGE_TOKENS)


@pytest.mark.parametrize(
    ("item", "texts", "other_tokens"),
    [
        (
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "a"},
                    {"type": "output_text", "text": "b"},
                    {"type": "refusal", "refusal": "c"},
                    {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
                ],
            },
            ["a", "b", "c"],
            UNKNOWN_IMAGE,
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "look", "arguments": '{"a":1}'},
            ["look", '{"a":1}'],
            0,
        ),
        ({"type": "custom_tool_call", "name": "patch", "input": "diff"}, ["patch", "diff"], 0),
        ({"type": "function_call_output", "call_id": "c", "output": "sunny"}, ["sunny"], 0),
        (
            {
                "type": "custom_tool_call_output",
                "output": [
                    {"type": "input_text", "text": "seen"},
                    {"type": "input_image", "image_url": "https://x/y.png"},
                ],
            },
            ["seen"],
            UNKNOWN_IMAGE,
        ),
        ({"type": "reasoning", "encrypted_content": "x" * 4_000, "summary": []}, [], 587),
        ({"type": "reasoning", "encrypted_content": "short"}, [], 0),
        ({"type": "compaction", "encrypted_content": "x" * 4_000}, [], 587),
        ({"type": "image_generation_call", "result": "aGk="}, [], UNKNOWN_IMAGE),
        ({"type": "newer", "query": "q"}, ['{"type":"newer","query":"q"}'], 0),
        ({"type": "message", "content": None}, [], 0),
        ({"type": "message", "content": [7, {"type": "input_text", "text": 7}]}, [], 0),
    ],
)
def test_item_is_taken_apart(item: dict[str, Any], texts: list[str], other_tokens: int):
    assert parts_of(item) == (texts, MESSAGE_TOKENS + other_tokens)


def test_text_file_is_counted_as_text_and_any_other_by_its_pages():
    text = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}
    other = {"type": "input_file", "file_url": "https://x/y.pdf"}
    item = {"type": "message", "content": [text, other]}
    assert parts_of(item) == (["a.txt", "hi"], MESSAGE_TOKENS + 2_000)


def test_tool_is_its_description_and_the_rest_as_json():
    tool = {"type": "function", "name": "f", "description": "Says\n hi", "parameters": {"a": "ü"}}
    parts = token_parts(
        {
            "tools": [tool, {"type": "web_search"}],
            "input": [{"type": "additional_tools", "tools": [tool]}],
        }
    )
    function = 'Says\n hi\n{"type":"function","name":"f","parameters":{"a":"ü"}}'
    assert parts.tools == (function, function, '\n{"type":"web_search"}')


def test_schema_of_the_output_is_counted():
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
    assert parts_of(text={"format": form}) == (['{"type":"object"}'], 0)


def test_prompt_does_not_show_in_a_repr():
    assert "secret" not in repr(token_parts({"instructions": "secret", "tools": [{"a": "secret"}]}))
