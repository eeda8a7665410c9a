from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.messages_cases import (
    BASE,
    TOOL_USE,
    WEATHER,
    WEATHER_FUNCTION,
    assistant,
    codex_body,
    tool_result,
    user,
)

TOOLS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "custom": ({**WEATHER, "eager_input_streaming": True, "new_key": 1}, [WEATHER_FUNCTION]),
    "explicit custom type": ({**WEATHER, "type": "custom"}, [WEATHER_FUNCTION]),
    "no properties, $schema": (
        {"name": "now", "input_schema": {"$schema": "https://x", "type": "object"}},
        [
            {
                "type": "function",
                "name": "now",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            }
        ],
    ),
    "examples": (
        {**WEATHER, "input_examples": [{"city": "Oslo"}]},
        [
            {
                **WEATHER_FUNCTION,
                "description": 'Weather of a city.\n\nExample inputs:\n{"city":"Oslo"}',
            }
        ],
    ),
    "web search": (
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
        [{"type": "web_search"}],
    ),
    "web search with filters": (
        {
            "type": "web_search_20260209",
            "name": "web_search",
            "allowed_domains": ["a.test"],
            "user_location": {"type": "approximate", "city": "Oslo", "region": None},
        },
        [
            {
                "type": "web_search",
                "filters": {"allowed_domains": ["a.test"]},
                "user_location": {"type": "approximate", "city": "Oslo"},
            }
        ],
    ),
    "image generation": (
        {"name": "image_generation", "input_schema": {"type": "object"}},
        [{"type": "image_generation"}],
    ),
    "code execution": ({"type": "code_execution_20250825", "name": "code_execution"}, []),
    "web fetch": ({"type": "web_fetch_20250910", "name": "web_fetch"}, []),
    "computer": ({"type": "computer_toolset_20260801", "name": "computer"}, []),
    "mcp": ({"type": "mcp_toolset", "mcp_server_name": "x"}, []),
    "placeholder": (
        {"name": "DeferredToolPlaceholder", "input_schema": {"type": "object"}},
        [],
    ),
}


@pytest.mark.parametrize("case", TOOLS)
def test_tool(case):
    tool, expected = TOOLS[case]
    assert codex_body(tools=[tool]).get("tools", []) == expected


def test_web_search_asks_for_its_sources():
    body = codex_body(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert body["include"] == ["reasoning.encrypted_content", "web_search_call.action.sources"]


@pytest.mark.parametrize(
    ("kind", "name", "parameter"),
    [
        ("bash_20250124", "bash", "restart"),
        ("text_editor_20250728", "str_replace_based_edit_tool", "insert_text"),
        ("text_editor_20250124", "str_replace_editor", "insert_line"),
        ("memory_20250818", "memory", "new_path"),
    ],
)
def test_a_tool_the_client_runs_gets_its_schema(kind, name, parameter):
    (tool,) = codex_body(tools=[{"type": kind, "name": name}])["tools"]
    assert (tool["type"], tool["name"], tool["strict"]) == ("function", name, False)
    assert {"command", parameter} <= tool["parameters"]["properties"].keys()


def test_only_old_editors_can_undo():
    def commands(kind: str) -> list[str]:
        (tool,) = codex_body(tools=[{"type": kind, "name": "edit"}])["tools"]
        return tool["parameters"]["properties"]["command"]["enum"]

    assert "undo_edit" in commands("text_editor_20250124")
    assert "undo_edit" not in commands("text_editor_20250728")


DEFERRED = {"name": "Deep", "input_schema": {"type": "object"}, "defer_loading": True}


def tool_names(**fields: Any) -> list[str]:
    return [tool["name"] for tool in codex_body(**fields).get("tools", [])]


def test_a_deferred_tool_stays_out():
    assert tool_names(tools=[DEFERRED, WEATHER]) == ["get_weather"]


@pytest.mark.parametrize(
    "turn",
    [
        user(tool_result(content=[{"type": "tool_reference", "tool_name": "Deep"}])),
        assistant({**TOOL_USE, "name": "Deep"}),
        {
            "role": "system",
            "content": [
                {"type": "tool_addition", "tool": {"type": "tool_reference", "tool_name": "Deep"}}
            ],
        },
    ],
    ids=["tool_reference", "earlier use", "tool_addition"],
)
def test_a_deferred_tool_comes_last_once_the_conversation_has_it(turn):
    messages = [*BASE["messages"], assistant(TOOL_USE), turn]
    assert tool_names(tools=[DEFERRED, WEATHER], messages=messages) == ["get_weather", "Deep"]


def test_a_deferred_tool_that_is_forced_is_offered():
    choice = {"type": "tool", "name": "Deep"}
    assert tool_names(tools=[DEFERRED], tool_choice=choice) == ["Deep"]


def test_all_deferred_tools_are_offered_where_the_server_would_search_them():
    search = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
    assert tool_names(tools=[search, DEFERRED]) == ["Deep"]


def test_tool_changes_of_the_conversation():
    inline = {"type": "tool_definition", "definition": WEATHER}
    removed = {"type": "tool_reference", "tool_name": "Old"}
    turn = {
        "role": "system",
        "content": [
            {"type": "tool_addition", "tool": inline},
            {"type": "tool_removal", "tool": removed},
        ],
    }
    old = {"name": "Old", "input_schema": {"type": "object"}}
    assert tool_names(tools=[old], messages=[*BASE["messages"], turn]) == ["get_weather"]


CHOICES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "auto": ({"type": "auto"}, {"tool_choice": "auto"}),
    "any": ({"type": "any"}, {"tool_choice": "required"}),
    "none": ({"type": "none"}, {"tool_choice": "none"}),
    "tool": (
        {"type": "tool", "name": "get_weather"},
        {"tool_choice": {"type": "function", "name": "get_weather"}},
    ),
    "hosted tool": (
        {"type": "tool", "name": "web_search"},
        {"tool_choice": {"type": "web_search"}},
    ),
    "not parallel": (
        {"type": "auto", "disable_parallel_tool_use": True},
        {"tool_choice": "auto", "parallel_tool_calls": False},
    ),
}


@pytest.mark.parametrize("case", CHOICES)
def test_tool_choice(case):
    choice, expected = CHOICES[case]
    tools = [WEATHER, {"type": "web_search_20250305", "name": "web_search"}]
    body = codex_body(tools=tools, tool_choice=choice)
    got = {name: body[name] for name in ("tool_choice", "parallel_tool_calls") if name in body}
    assert got == expected


def test_a_long_tool_name_is_the_same_short_one_everywhere():
    name = "mcp__" + "x" * 90
    body = codex_body(
        tools=[{**WEATHER, "name": name}],
        tool_choice={"type": "tool", "name": name},
        messages=[*BASE["messages"], assistant({**TOOL_USE, "name": name})],
    )
    short = body["tools"][0]["name"]
    assert len(short) <= 64
    assert body["tool_choice"]["name"] == body["input"][1]["name"] == short
