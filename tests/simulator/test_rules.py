"""What the backend refuses, in its own words, and how each refusal is counted."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest
import zstandard

UNSUPPORTED = [
    "temperature",
    "top_p",
    "max_output_tokens",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "stop",
    "n",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "metadata",
    "user",
    "safety_identifier",
    "truncation",
    "prompt_cache_retention",
    "prompt_cache_options",
    "context_management",
    "response_format",
    "background",
    "conversation",
    "prompt",
    "max_tool_calls",
    "previous_response_id",
    "generate",
]


def message(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content, **fields}


def call(call_id: str = "call_1", **fields: Any) -> dict[str, Any]:
    kind = {"type": "function_call", "name": "f", "arguments": "{}"}
    return {**kind, "call_id": call_id, **fields}


def output(call_id: str = "call_1", **fields: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": "ok", **fields}


def function(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": {"type": "object"}, **fields}


def schema_format(**fields: Any) -> dict[str, Any]:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, **fields}
    return {"format": {name: value for name, value in form.items() if value is not ...}}


OPEN_SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="}
DETAILS = [
    *[
        ({name: 1}, "unsupported_parameter", f"Unsupported parameter: {name}")
        for name in UNSUPPORTED
    ],
    (
        {"stream_options": {"include_usage": True}},
        "unsupported_parameter",
        "Unsupported parameter: stream_options",
    ),
    ({"store": True}, "store", "Store must be set to false"),
    ({"store": ...}, "store", "Store must be set to false"),
    ({"stream": False}, "stream", "Stream must be set to true"),
    ({"input": "hello"}, "input", "Input must be a list"),
    ({"instructions": ...}, "instructions", "Instructions are required"),
    ({"instructions": 1}, "instructions", "Instructions are not valid"),
    ({"input": [message("system", "x")]}, "system_role", "System messages are not allowed"),
    ({"service_tier": "auto"}, "service_tier", "Unsupported service_tier: auto"),
    ({"tools": [{"type": "mcp"}]}, "tool_type", "Unsupported tool type: mcp"),
    (
        {"input": [message("user", [{"type": "input_text", "text": "x", "cache_control": {}}])]},
        "content_field",
        "cache_control is not supported on this model",
    ),
]
PARAMS = [
    ({"reasoning": {"effort": "none"}}, "effort", "reasoning.effort"),
    ({"reasoning": {"effort": "ultra"}, "model": "gpt-6-astra"}, "effort", "reasoning.effort"),
    ({"reasoning": {"summary": "none"}}, "summary", "reasoning.summary"),
    ({"reasoning": {"max_tokens": 1}}, "reasoning", "reasoning.max_tokens"),
    ({"include": ["message.output_text.logprobs"]}, "include", "include[0]"),
    ({"text": {"verbosity": "max"}}, "verbosity", "text.verbosity"),
    ({"text": schema_format(name=...)}, "text_format", "text.format.name"),
    ({"text": schema_format(schema=...)}, "text_format", "text.format.schema"),
    ({"text": {"format": {"type": "xml"}}}, "text_format", "text.format"),
    ({"prompt_cache_key": "k" * 65}, "prompt_cache_key", "prompt_cache_key"),
    ({"client_metadata": {"a": 1}}, "client_metadata", "client_metadata"),
    ({"input": [{"type": "thinking"}]}, "item_type", "input[0]"),
    ({"input": [message("tool", "x")]}, "role", "input[0].role"),
    (
        {"input": [message("assistant", [{"type": "input_text", "text": "x"}])]},
        "content_type",
        "input[0].content[0].type",
    ),
    ({"input": [call(id="msg_1"), output()]}, "item_id", "input[0].id"),
    ({"input": [message("user", "x", id="fc_1")]}, "item_id", "input[0].id"),
    ({"input": [call("c" * 65), output("c" * 65)]}, "id_length", "input[0].call_id"),
    ({"input": [call(name=None), output()]}, "call", "input[0].name"),
    ({"input": [call(), output(output=None)]}, "call_output", "input[1].output"),
    ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "item_not_found", "input"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tool_shape", "tools[0].name"),
    (
        {"tools": [{"type": "custom", "name": "c", "format": {"type": "json"}}]},
        "tool_shape",
        "tools[0].format",
    ),
]
REJECTED = [
    ({"model": "gpt-5.4"}, "model"),
    ({"input": [output()]}, "orphan_output"),
    ({"input": [call()]}, "call_without_output"),
    ({"input": [output(), call()]}, "orphan_output"),
    ({"input": [message("user", [IMAGE])]}, "image"),
    ({"input": [{"type": "compaction_trigger"}, message("user", "x")]}, "compaction_trigger"),
    (
        {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAforeign"}]},
        "invalid_encrypted_content",
    ),
    ({"tools": [function("a.b")]}, "tool_name"),
    ({"tools": [function(parameters={"type": "string"})]}, "invalid_function_parameters"),
    (
        {"tools": [function(parameters=OPEN_SCHEMA, strict=True)]},
        "invalid_function_parameters",
    ),
    ({"text": schema_format(schema=OPEN_SCHEMA, strict=True)}, "invalid_json_schema"),
    ({"tool_choice": {"type": "function", "name": "g"}, "tools": [function()]}, "tool_choice"),
    ({"tool_choice": {"type": "image_generation"}}, "tool_choice"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"reasoning": "high"}, "type"),
    ({"input": ["hello"]}, "type"),
]
ACCEPTED = [
    {"input": [message("user", "a string")]},
    {"input": [{"role": "user", "content": "no type"}]},
    {"input": [message("developer", "x"), message("assistant", "y", id="msg_1")]},
    {"input": [call(id="fc_1"), output()]},
    {"input": [call("a"), call("b"), output("b"), output("a")]},
    {"input": [message("user", "x"), {"type": "additional_tools", "tools": [function()]}]},
    {"service_tier": "priority"},
    {"reasoning": {"effort": "xhigh", "summary": "auto", "context": "all_turns"}},
    {"tools": [function()], "tool_choice": "auto", "parallel_tool_calls": True},
    {"tools": [{"type": "web_search", "external_web_access": True}]},
    {"tools": [{"type": "namespace", "name": "n", "tools": [function()]}]},
    {
        "tools": [
            {
                "type": "custom",
                "name": "apply_patch",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"},
            }
        ]
    },
    {"text": schema_format(strict=False), "client_metadata": {"a": "b"}},
    {"stream_options": {"reasoning_summary_delivery": "sequential_cutoff"}},
    {"input": [message("user", [{"type": "input_image", "image_url": "https://e.com/a.png"}])]},
]


@pytest.mark.parametrize(("changes", "kind", "detail"), DETAILS)
async def test_refusal_has_the_backends_detail(backend, changes, kind, detail):
    answer = await backend.respond(**changes)
    assert (answer.status, answer.json) == (400, {"detail": detail})
    assert backend.violation_kinds() == [kind]


@pytest.mark.parametrize(("changes", "kind", "param"), PARAMS)
async def test_refusal_names_the_param(backend, changes, kind, param):
    answer = await backend.respond(**changes)
    assert (answer.status, answer.json["error"]["param"]) == (400, param)
    assert backend.violation_kinds()[0] == kind


@pytest.mark.parametrize(("changes", "kind"), REJECTED)
async def test_client_faults_are_rejections_not_violations(backend, changes, kind):
    answer = await backend.respond(**changes)
    assert answer.status == 400
    assert kind in backend.rejection_kinds()
    assert backend.violation_kinds() == []


@pytest.mark.parametrize("changes", ACCEPTED)
async def test_correct_requests_pass_without_a_finding(backend, changes):
    answer = await backend.respond(**changes)
    assert answer.status == 200
    assert (backend.violation_kinds(), backend.rejection_kinds()) == ([], [])


async def test_every_finding_is_counted_and_the_first_is_answered(backend):
    answer = await backend.respond(temperature=1, store=True)
    assert answer.json == {"detail": "Unsupported parameter: temperature"}
    assert backend.violation_kinds() == ["unsupported_parameter", "store"]


async def test_call_without_output_names_the_call(backend):
    answer = await backend.respond(input=[call("call_x")])
    assert answer.json["error"]["message"] == "No tool output found for function call call_x."


async def test_effort_error_lists_what_the_model_takes(backend):
    answer = await backend.respond(model="gpt-6-astra", reasoning={"effort": "none"})
    assert answer.json["error"] == {
        "message": "Unsupported value: 'none' is not supported with the 'gpt-6-astra' model. "
        "Supported values are: 'low', 'medium', 'high', 'xhigh', and 'max'.",
        "type": "invalid_request_error",
        "param": "reasoning.effort",
        "code": "unsupported_value",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"user_agent": "python-httpx/0.28.1"},
        {"user_agent": "Python/3.11 aiohttp/3.14"},
        {"user_agent": ""},
        {"originator": None},
    ],
)
async def test_unnamed_clients_meet_the_edge(backend, changes):
    answer = await backend.respond(headers=backend.headers(**changes))
    assert (answer.status, answer.headers["cf-mitigated"]) == (403, "challenge")
    assert answer.headers["content-type"].startswith("text/html")
    assert backend.simulator.stats.violation_count == 1


async def test_missing_login_is_a_violation(backend):
    answer = await backend.respond(headers=backend.headers(authorization=None))
    assert (answer.status, answer.json) == (401, {"detail": "Unauthorized"})
    assert backend.violation_kinds() == ["authorization"]


async def test_foreign_token_is_a_rejection(backend):
    answer = await backend.respond(headers=backend.headers(authorization="Bearer nonsense"))
    assert (answer.status, answer.json) == (401, {"detail": "Unauthorized"})
    assert backend.rejection_kinds() == ["token_unknown"]


async def test_account_must_be_that_of_the_token(backend):
    answer = await backend.respond(headers=backend.headers(chatgpt_account_id="other"))
    assert answer.status == 401
    assert backend.violation_kinds() == ["account_id"]


async def test_token_past_its_time_is_expired(backend):
    backend.credentials = backend.simulator.issue_credentials(expires_in_s=-1)
    answer = await backend.respond()
    assert (answer.status, answer.json["error"]["code"]) == (401, "token_expired")
    assert backend.rejection_kinds() == ["token_expired"]


async def test_expire_overrules_the_tokens_own_time(backend):
    backend.simulator.expire_access_tokens()
    answer = await backend.respond()
    assert (answer.status, answer.json["error"]["code"]) == (401, "token_expired")


@pytest.mark.parametrize(
    "changes", [{"session_id": None}, {"session_id": "other"}, {"accept": "*/*"}]
)
async def test_costly_omissions_pass_but_are_counted(backend, changes):
    answer = await backend.respond(headers=backend.headers(**changes))
    assert answer.status == 200
    assert backend.simulator.stats.violation_count == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_packed_bodies_are_read(backend, encoding):
    pack = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor(3).compress}[encoding]
    content = orjson.dumps(backend.body("SAY[[unpacked]]"))
    answer = await backend.send(pack(content), backend.headers(content_encoding=encoding))
    assert (answer.status, answer.text) == (200, "unpacked")


async def test_body_that_is_not_what_it_says_is_refused(backend):
    answer = await backend.send(b"{}", backend.headers(content_encoding="zstd"))
    assert (answer.status, answer.json) == (400, {"detail": "Request body is not zstd"})


async def test_body_that_is_no_json_is_refused(backend):
    answer = await backend.send(b"{", backend.headers())
    assert (answer.status, answer.json) == (400, {"detail": "Request body is not valid JSON"})


async def test_encrypted_content_of_a_former_answer_is_accepted(backend):
    first = await backend.respond(reasoning={"effort": "low"})
    reasoning = first.items[0]
    answer = await backend.respond(input=[reasoning, message("user", "again")])
    assert reasoning["encrypted_content"]
    assert answer.status == 200


async def test_encrypted_content_of_a_transcript_is_accepted(backend):
    played = await backend.respond("PLAY[[02_reasoning_text]]")
    answer = await backend.respond(input=[played.items[0], message("user", "again")])
    assert answer.status == 200


async def test_unknown_path_is_a_counted_404(backend):
    url = f"{backend.simulator.base_url}/codex/responses/compact"
    answer = await backend.client.post(url, headers=backend.headers())
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert backend.violation_kinds() == ["path"]
