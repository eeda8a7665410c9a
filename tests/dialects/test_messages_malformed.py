"""Requests as no client should send them: each is either served or refused, never a crash."""

from __future__ import annotations

import copy
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from codexia.dialects.messages import MESSAGES
from codexia.dialects.signature import signature
from codexia.errors import BadRequest
from tests.dialects.transcripts import context

VALID: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 1000,
    "stream": True,
    "system": [{"type": "text", "text": "x"}],
    "metadata": {"user_id": '{"session_id":"s"}'},
    "stop_sequences": ["END"],
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "output_config": {
        "effort": "high",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"a": {"anyOf": [{"type": "array", "items": {"type": "string"}}]}},
                "required": ["a"],
                "additionalProperties": False,
            },
        },
    },
    "tools": [
        {
            "name": "f",
            "description": "d",
            "input_schema": {"type": "object"},
            "input_examples": [{"a": 1}],
        },
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "allowed_domains": ["a"],
            "user_location": {"type": "approximate", "city": "c"},
        },
        {"type": "text_editor_20250728", "name": "e"},
        {"name": "deferred", "input_schema": {"type": "object"}, "defer_loading": True},
    ],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": {"type": "base64", "media_type": "m", "data": "d"}},
                {
                    "type": "document",
                    "title": "t",
                    "source": {"type": "content", "content": [{"type": "text", "text": "x"}]},
                },
                {
                    "type": "search_result",
                    "source": "s",
                    "title": "t",
                    "content": [{"type": "text", "text": "x"}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": signature("E")},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
                {"type": "web_search_tool_result", "content": [{"title": "t", "url": "u"}]},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "is_error": True,
                    "content": [{"type": "tool_reference", "tool_name": "deferred"}],
                }
            ],
        },
        {
            "role": "system",
            "content": [
                {
                    "type": "tool_addition",
                    "tool": {
                        "type": "tool_definition",
                        "definition": {"name": "g", "input_schema": {"type": "object"}},
                    },
                },
                {
                    "type": "tool_removal",
                    "tool": {"type": "tool_reference", "tool_name": "h"},
                },
            ],
        },
    ],
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    children = [(*path, key) for key in keys] if isinstance(value, dict | list) else []
    nested = [
        deeper
        for child in children
        if isinstance(value[child[-1]], dict | list)
        for deeper in paths(value[child[-1]], child)
    ]
    return [*children, *nested]


def deep(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"type": "object", "content": [value]}
    return value


PATHS = paths(VALID)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
    st.sampled_from(["tool_use", "tool_result", "image", "document", "file", "assistant", "any"]),
    st.just([]),
    st.just({}),
    st.lists(st.one_of(st.none(), TEXT, st.dictionaries(TEXT, TEXT, max_size=2)), max_size=3),
    st.dictionaries(st.sampled_from(["type", "content", "source", "name", "x"]), TEXT, max_size=3),
    st.integers(1, 400).map(deep),
)
MISSING = object()


def change(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    """Set or remove what is at `path`, if an earlier change left something there."""
    node: Any = body
    try:
        for key in path[:-1]:
            node = node[key]
        if value is MISSING:
            del node[path[-1]]
        else:
            node[path[-1]] = copy.deepcopy(value)
    except (KeyError, IndexError, TypeError):
        return


@settings(max_examples=1000)
@given(
    st.lists(
        st.tuples(st.sampled_from(PATHS), st.one_of(WRONG, st.just(MISSING))),
        min_size=1,
        max_size=4,
    )
)
def test_a_malformed_request_is_served_or_refused(changes):
    body = copy.deepcopy(VALID)
    for path, value in changes:
        change(body, path, value)
    try:
        translation = MESSAGES.translate(body, context())
    except BadRequest:
        return
    if translation.request is not None:
        orjson.dumps(translation.request.body)
    assert MESSAGES.encode(translation.reply.start()).startswith(b"event: message_start")


def test_the_request_that_is_malformed_here_is_served_when_it_is_not():
    assert MESSAGES.translate(copy.deepcopy(VALID), context()).request is not None
