from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from codexia.dialects.messages import MESSAGES
from tests.dialects.messages_cases import (
    BASE,
    CODEX_BASE,
    TOOL_USE,
    WEATHER,
    assistant,
    codex_body,
    tool_result,
    user,
    without_key,
)
from tests.dialects.transcripts import context

STRICT = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
LOOSE = {"type": "object", "properties": {"title": {"type": "string", "maxLength": 9}}}


def json_format(schema: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    return {
        "text": {
            "format": {"type": "json_schema", "name": "output", "schema": schema, "strict": strict}
        }
    }


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bare": ({}, {}),
    "anthropic model name gets the fallback": ({"model": "claude-opus-5-5[1m]"}, {}),
    "system string": ({"system": "Be brief."}, {"instructions": "Be brief."}),
    "system blocks without billing header": (
        {
            "system": [
                {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330.db5;"},
                {"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "Rules."},
            ]
        },
        {"instructions": "You are.\n\nRules."},
    ),
    "sampling and unknown fields are dropped": (
        {
            "temperature": 1,
            "top_p": 0.5,
            "top_k": 3,
            "service_tier": "auto",
            "speed": "fast",
            "container": None,
            "inference_geo": "us",
            "cache_control": {"type": "ephemeral"},
            "diagnostics": {},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "safeguards": [{"type": "dangerous_tool_use"}],
            "mcp_servers": [],
            "metadata": "not even an object",
            "brand_new": {"a": [1]},
        },
        {},
    ),
    "thinking adaptive": ({"thinking": {"type": "adaptive"}}, {"reasoning": {"summary": "auto"}}),
    "thinking adaptive omitted": ({"thinking": {"type": "adaptive", "display": "omitted"}}, {}),
    "thinking updates": (
        {"thinking": {"type": "adaptive", "display": "updates"}},
        {"reasoning": {"summary": "auto"}},
    ),
    "thinking disabled": ({"thinking": {"type": "disabled"}}, {"reasoning": {"effort": "low"}}),
    "thinking between tools": (
        {"thinking": {"type": "between_tools"}},
        {"reasoning": {"summary": "auto"}},
    ),
    "thinking budget low": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"reasoning": {"effort": "low", "summary": "auto"}},
    ),
    "thinking budget medium": (
        {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"}},
        {"reasoning": {"effort": "medium", "summary": "auto"}},
    ),
    "thinking budget high": (
        {"thinking": {"type": "enabled", "budget_tokens": 8192}},
        {"reasoning": {"effort": "high", "summary": "auto"}},
    ),
    "thinking budget xhigh": (
        {"thinking": {"type": "enabled", "budget_tokens": 24_000, "display": "omitted"}},
        {"reasoning": {"effort": "xhigh"}},
    ),
    "effort goes before the budget": (
        {
            "output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 9}},
            "thinking": {"type": "enabled", "budget_tokens": 30_000},
        },
        {"reasoning": {"effort": "low", "summary": "auto"}},
    ),
    "effort the model lacks": (
        {"output_config": {"effort": "max"}},
        {"reasoning": {"effort": "xhigh"}},
    ),
    "output format strict": (
        {
            "output_config": {
                "format": {"type": "json_schema", "schema": {"$schema": "x", **STRICT}}
            }
        },
        json_format(STRICT, strict=True),
    ),
    "output format loose": (
        {"output_config": {"format": {"type": "json_schema", "schema": LOOSE}}, "tools": []},
        json_format(LOOSE, strict=False),
    ),
    "legacy output format": (
        {"output_format": {"type": "json_schema", "schema": STRICT}},
        json_format(STRICT, strict=True),
    ),
    "output_config goes before output_format": (
        {
            "output_format": {"type": "json_schema", "schema": LOOSE},
            "output_config": {"format": {"type": "json_schema", "schema": STRICT}},
        },
        json_format(STRICT, strict=True),
    ),
}


@pytest.mark.parametrize("case", FIELDS)
def test_field(case):
    fields, expected = FIELDS[case]
    assert without_key(codex_body(**fields)) == {**CODEX_BASE, **expected}


SESSION = "4f0c2b4e-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("user_id", "header", "expected"),
    [
        (orjson.dumps({"device_id": "d", "session_id": SESSION}).decode(), "other", SESSION),
        (f"user_abc_account_def_session_{SESSION}", "other", SESSION),
        ("someone", SESSION, SESSION),
        ('{"device_id":"d"}', SESSION, SESSION),
    ],
    ids=["json", "old form", "header", "json without session"],
)
def test_session_key(user_id, header, expected):
    headers = {"x_claude_code_session_id": header}
    body = codex_body(headers, metadata={"user_id": user_id})
    assert body["prompt_cache_key"] == expected


def test_the_person_behind_the_request_stays_here():
    user_id = orjson.dumps({"device_id": "canary", "session_id": SESSION}).decode()
    assert "canary" not in str(codex_body(metadata={"user_id": user_id}))


def test_without_a_session_the_key_is_the_same_for_the_whole_conversation():
    first = codex_body(system="s")
    later = codex_body(
        system="s",
        messages=[*BASE["messages"], assistant({"type": "text", "text": "x"}), *BASE["messages"]],
    )
    assert first["prompt_cache_key"] == later["prompt_cache_key"]


def test_max_tokens_0_is_answered_here():
    translation = MESSAGES.translate({**BASE, "max_tokens": 0}, context())
    assert translation.request is None
    for event in translation.reply.start():
        translation.collector.add(event)
    assert translation.reply.ended
    message = translation.collector.result()
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")


@pytest.mark.parametrize(("stream", "expected"), [(True, True), (False, False), (None, False)])
def test_stream_flag(stream, expected):
    assert MESSAGES.translate({**BASE, "stream": stream}, context()).stream is expected


def test_the_body_is_not_changed():
    body = {**BASE, "tools": [WEATHER], "messages": [assistant(TOOL_USE), user(tool_result())]}
    before = copy.deepcopy(body)
    MESSAGES.translate(body, context())
    assert body == before
