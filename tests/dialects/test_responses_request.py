"""Responses bodies and the Codex bodies that they become, one case a rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from codexia.dialects.responses import RESPONSES
from codexia.errors import BadRequest
from tests.dialects.openai_mutations import refusal, spoilt
from tests.dialects.transcripts import context

HI_ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


def translated(headers: dict[str, str] | None = None, **fields: Any) -> Any:
    body = {"model": "gpt-5.5", "input": "hi", **fields}
    return RESPONSES.translate(body, replace(context(), headers=headers or {})).request


def codex_body(**fields: Any) -> dict[str, Any]:
    return translated(**fields).body


CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}


def marked(item: dict[str, Any], parts: str) -> dict[str, Any]:
    breakpoint_ = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    return {**item, parts: [{**part, **breakpoint_} for part in item[parts]]}


INPUT = [
    pytest.param("hi", [HI_ITEM], id="string"),
    pytest.param([{"role": "user", "content": "hi"}], [HI_ITEM], id="item without a type"),
    pytest.param(
        [{"role": "assistant", "content": "yes", "phase": "final_answer"}],
        [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "yes"}],
                "phase": "final_answer",
            }
        ],
        id="assistant string content keeps its phase",
    ),
    pytest.param(
        [{"type": "message", "role": "system", "content": [{"type": "input_text", "text": "s"}]}],
        [
            {
                "type": "message",
                "role": "developer",
                "content": [{"type": "input_text", "text": "s"}],
            }
        ],
        id="system is developer",
    ),
    pytest.param([CALL, OUTPUT], [CALL, OUTPUT], id="call and output without ids"),
    pytest.param(
        [{**CALL, "id": "fc_1"}, {**OUTPUT, "id": "fco_1"}],
        [{**CALL, "id": "fc_1"}, {**OUTPUT, "id": "fco_1"}],
        id="ids of the backend stay",
    ),
    pytest.param(
        [{**CALL, "id": "call_1"}, {**OUTPUT, "id": None}],
        [CALL, OUTPUT],
        id="ids that it did not make are dropped",
    ),
    pytest.param(
        [{**HI_ITEM, "id": "msg_" + "x" * 61}], [HI_ITEM], id="ids over 64 characters are dropped"
    ),
    pytest.param(
        [
            marked(HI_ITEM, "content"),
            CALL,
            marked({**OUTPUT, "output": HI_ITEM["content"]}, "output"),
        ],
        [HI_ITEM, CALL, {**OUTPUT, "output": HI_ITEM["content"]}],
        id="cache breakpoints of content parts are dropped",
    ),
    pytest.param([REASONING, HI_ITEM], [REASONING, HI_ITEM], id="encrypted reasoning stays"),
    pytest.param(
        [{"type": "reasoning", "id": "rs_1", "summary": []}, HI_ITEM],
        [HI_ITEM],
        id="reasoning that cannot be read again is dropped",
    ),
    pytest.param(
        [HI_ITEM, {"type": "item_reference", "id": "rs_1"}, {**CALL, "id": "fc_1"}, OUTPUT],
        [HI_ITEM, CALL, OUTPUT],
        id="reasoning that is only referred to is dropped, and the id that ties a call to it",
    ),
    *[
        pytest.param([HI_ITEM, item], [HI_ITEM, item], id=f"{item['type']} is untouched")
        for item in (
            {"type": "compaction_trigger"},
            {"type": "compaction", "encrypted_content": "gAAA"},
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "function"}]},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "x"},
            {"type": "tool_search_output", "call_id": "c", "tools": []},
            {"type": "of_next_year", "anything": [1, {"a": None}]},
        )
    ],
]


@pytest.mark.parametrize(("given", "items"), INPUT)
def test_input_becomes(given: Any, items: list[dict[str, Any]]) -> None:
    assert codex_body(input=given)["input"] == items


NAMESPACE = {"type": "namespace", "name": "multi_agent_v1", "tools": []}

FIELDS = [
    pytest.param(
        {},
        {
            "instructions": "",
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
        },
        id="forced fields",
    ),
    pytest.param({"store": True, "stream": False}, {"store": False, "stream": True}, id="store"),
    pytest.param({"instructions": "be brief"}, {"instructions": "be brief"}, id="instructions"),
    pytest.param(
        {"include": ["web_search_call.action.sources", "reasoning.encrypted_content"]},
        {"include": ["reasoning.encrypted_content", "web_search_call.action.sources"]},
        id="include",
    ),
    pytest.param(
        {"tools": [{"type": "web_search_preview_2025_03_11", "search_context_size": "low"}]},
        {"tools": [{"type": "web_search", "search_context_size": "low"}]},
        id="web_search_preview",
    ),
    pytest.param(
        {"tools": [{"type": "web_search_2025_08_26"}]},
        {"tools": [{"type": "web_search"}]},
        id="web_search of a date",
    ),
    pytest.param(
        {"tools": [{"type": "web_search_preview"}], "tool_choice": {"type": "web_search_preview"}},
        {"tool_choice": {"type": "web_search"}},
        id="tool_choice web_search_preview",
    ),
    pytest.param(
        {
            "tools": [{"type": "function", "name": "f", "parameters": {}}, NAMESPACE],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}],
            },
        },
        {"tools": [{"type": "function", "name": "f", "parameters": {}}], "tool_choice": "auto"},
        id="tool_choice allowed_tools",
    ),
    pytest.param(
        {"tools": [NAMESPACE], "tool_choice": "auto", "parallel_tool_calls": True},
        {"tools": [NAMESPACE], "tool_choice": "auto", "parallel_tool_calls": True},
        id="unknown tools pass",
    ),
    pytest.param(
        {"reasoning": {"effort": "minimal", "summary": "auto", "context": "all_turns"}},
        {"reasoning": {"effort": "low", "summary": "auto", "context": "all_turns"}},
        id="reasoning effort that the model lacks",
    ),
    pytest.param(
        {"reasoning": {"generate_summary": "concise"}},
        {"reasoning": {"summary": "concise"}},
        id="reasoning.generate_summary",
    ),
    pytest.param(
        {"text": {"verbosity": "low", "format": {"type": "json_object"}}},
        {"text": {"verbosity": "low", "format": {"type": "json_object"}}},
        id="text",
    ),
    pytest.param(
        {"client_metadata": {"a": "b"}}, {"client_metadata": {"a": "b"}}, id="client_metadata"
    ),
    pytest.param({"service_tier": "fast"}, {"service_tier": "priority"}, id="service_tier fast"),
    pytest.param({"service_tier": "auto"}, {"service_tier": None}, id="service_tier auto"),
    pytest.param({"model": "codex/gpt-5.4"}, {"model": "gpt-5.4"}, id="model prefix"),
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
        {"max_output_tokens": 5},
        {"max_tool_calls": 5},
        {"metadata": {"a": "b"}},
        {"user": "u"},
        {"safety_identifier": "s"},
        {"truncation": "auto"},
        {"top_logprobs": 2},
        {"stream_options": {"include_obfuscation": False}},
        {"prompt_cache_retention": "24h"},
        {"context_management": [{"type": "compaction"}]},
        {"background": False},
        {"conversation": None},
        {"unheard_of": 1},
    ],
    ids=lambda field: next(iter(field)),
)
def test_a_field_without_effect_leaves_the_codex_body_alone(field: dict[str, Any]) -> None:
    assert codex_body(**field) == codex_body()


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        pytest.param({"model": None}, "model", "missing_required_parameter", id="no model"),
        pytest.param({"input": None}, "input", "missing_required_parameter", id="no input"),
        pytest.param({"input": 5}, "input", "invalid_type", id="input not a list"),
        pytest.param({"input": ["hi"]}, "input[0]", "invalid_type", id="item not an object"),
        pytest.param(
            {"input": [{"content": "x"}]},
            "input[0].type",
            "missing_required_parameter",
            id="item without type and role",
        ),
        pytest.param(
            {"input": [{"role": "user", "content": ["x"]}]},
            "input[0].content[0]",
            "invalid_type",
            id="content part not an object",
        ),
        pytest.param(
            {"input": [{"type": "item_reference"}]},
            "input[0].id",
            "missing_required_parameter",
            id="item_reference",
        ),
        pytest.param({"background": True}, "background", "unsupported_parameter", id="background"),
        pytest.param(
            {"conversation": "conv_1"}, "conversation", "unsupported_parameter", id="conversation"
        ),
        pytest.param({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter", id="prompt"),
        pytest.param(
            {"previous_response_id": "resp_1"},
            "previous_response_id",
            "previous_response_not_found",
            id="previous_response_id",
        ),
        pytest.param(
            {"tools": [{"name": "f"}]}, "tools[0].type", "missing_required_parameter", id="tool"
        ),
        pytest.param({"include": "x"}, "include", "invalid_type", id="include"),
        pytest.param(
            {"reasoning": {"effort": 3}}, "reasoning.effort", "invalid_type", id="reasoning.effort"
        ),
        pytest.param({"service_tier": {}}, "service_tier", "invalid_type", id="service_tier"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        codex_body(**fields)

    assert (caught.value.param, caught.value.code) == (param, code)


def test_an_unknown_previous_response_is_refused_in_the_words_that_clients_know() -> None:
    with pytest.raises(BadRequest, match=r"^Previous response with id 'resp_1' not found\.$"):
        codex_body(previous_response_id="resp_1")


@pytest.mark.parametrize(
    "header", ["session-id", "session_id", "thread-id", "x-session-affinity", "x-session-id"]
)
def test_a_session_header_is_the_session_key(header: str) -> None:
    assert translated({header: "conversation-7"}).session_key == "conversation-7"


def test_prompt_cache_key_wins_over_the_headers() -> None:
    request = translated({"session-id": "header"}, prompt_cache_key="field")

    assert request.session_key == "field"


def test_only_the_headers_of_codex_clients_pass() -> None:
    request = translated(
        {
            "thread-id": "t",
            "x-codex-turn-metadata": "{}",
            "authorization": "Bearer secret",
            "cookie": "c",
            "chatgpt-account-id": "a",
        }
    )

    assert request.headers == {"thread-id": "t", "x-codex-turn-metadata": "{}"}


EVERYTHING = {
    "model": "gpt-5.5",
    "instructions": "be brief",
    "input": [
        {"role": "system", "content": "s"},
        {"type": "message", "id": "msg_1", **HI_ITEM},
        {"role": "assistant", "content": "a", "phase": "commentary"},
        REASONING,
        {**CALL, "id": "fc_1"},
        OUTPUT,
        {"type": "compaction", "encrypted_content": "gAAA"},
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "function"}]},
    ],
    "tools": [{"type": "function", "name": "f"}, {"type": "web_search_preview"}, NAMESPACE],
    "tool_choice": {"type": "function", "name": "f"},
    "parallel_tool_calls": True,
    "reasoning": {"effort": "low", "summary": "auto", "generate_summary": "auto"},
    "text": {"verbosity": "low", "format": {"type": "text"}},
    "include": ["reasoning.encrypted_content"],
    "client_metadata": {"a": "b"},
    "prompt_cache_key": "k",
    "service_tier": "auto",
    "stream": True,
    "store": False,
    "temperature": 1,
    "metadata": {"a": "b"},
    "background": False,
}


def test_the_body_with_everything_is_valid() -> None:
    assert codex_body(**EVERYTHING)["input"]


@settings(max_examples=1000)
@given(body=spoilt(EVERYTHING))
def test_a_spoilt_body_is_a_bad_request_or_none_at_all(body: dict[str, Any]) -> None:
    error = refusal(RESPONSES, body)

    assert error is None or (error.param and error.code)
