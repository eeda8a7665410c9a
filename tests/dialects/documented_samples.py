"""A value of every field, block, item and tool that the README's tables name."""

from __future__ import annotations

from typing import Any

from codexia.dialects.signature import signature
from tests.dialects import chat_bodies, messages_cases

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
JSON_FORMAT = {"type": "json_schema", "schema": SCHEMA}
TEXT = {"type": "text", "text": "x"}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://a.test/b.png"}}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AA=="}
DOCUMENT = {"type": "document", "source": PDF}
FILE = {"type": "file", "file_id": "file_1"}
TOOL_USE = messages_cases.TOOL_USE
CUSTOM = {"name": "extra", "input_schema": SCHEMA}
WEB_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
FETCHED = {"type": "web_fetch_result", "url": "https://a.test", "content": DOCUMENT}
HI_ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
CUSTOM_CALL = {"type": "custom_tool_call", "call_id": "call_2", "name": "g", "input": "x"}
ANY_OTHER = {"type": "of_next_year", "text": "x"}


def tagged(*kinds: str, **members: Any) -> dict[str, Any]:
    """Return one object of each type, all with these members."""
    return {kind: {"type": kind, **members} for kind in kinds}


def block(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, **members}


BASES: dict[str, dict[str, Any]] = {
    "Messages": {
        **messages_cases.BASE,
        "stream": True,
        "tools": [messages_cases.WEATHER],
        "tool_choice": {"type": "auto"},
    },
    "Chat Completions": {
        "model": "gpt-5.5",
        "messages": [chat_bodies.HI],
        "stream": True,
        "tools": [chat_bodies.TOOL],
    },
    "Responses": {
        "model": "gpt-5.5",
        "input": [HI_ITEM],
        "stream": True,
        "tools": [{"type": "function", "name": "f"}],
    },
    "Image generation": {"prompt": "an apple"},
}
"""Bodies to put the samples in, by the heading of the table."""

MESSAGES: dict[str, dict[str, Any]] = {
    "field": {
        "model": "gpt-5.4",
        "messages": [{"role": "user", "content": "other"}],
        "system": "Be brief.",
        "stream": False,
        "stop_sequences": ["e"],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config.effort": "low",
        "output_config.format": JSON_FORMAT,
        "output_format": JSON_FORMAT,
        "tools": [CUSTOM],
        "tool_choice": {"type": "any"},
        "tool_choice.disable_parallel_tool_use": True,
        "metadata.user_id": '{"device_id":"d","session_id":"s"}',
        "max_tokens": 5,
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 3,
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "cache_control": {"type": "ephemeral"},
        "output_config.task_budget": {"type": "tokens", "total": 9},
        "service_tier": "standard_only",
        "speed": "fast",
        "container": "c",
        "inference_geo": "us",
        "user_profile_id": "u",
        "workspace_id": "w",
        "diagnostics": {"previous_message_id": "msg_1"},
        "fallbacks": [{"model": "claude-x"}],
        "fallback_credit_token": "t",
        "billing_policy": {"type": "b"},
        "betas": ["b"],
        "thread": {"id": "t"},
        "compaction": {"type": "c"},
        "mcp_servers": [{"type": "url", "name": "m", "url": "https://a.test"}],
    },
    "user block": {
        "text": TEXT,
        "image": IMAGE,
        "search_result": block("search_result", source="s", title="t", content=[TEXT]),
        "document": DOCUMENT,
        "image.source.file": {**IMAGE, "source": FILE},
        "document.source.file": {**DOCUMENT, "source": FILE},
        "tool_result": messages_cases.tool_result(content=[TEXT, IMAGE]),
        "tool_result.is_error": messages_cases.tool_result(content="x", is_error=True),
        "tool_reference": block("tool_reference", tool_name="get_weather"),
        "text.cache_control": {**TEXT, "cache_control": {"type": "ephemeral"}},
        "text.citations": {**TEXT, "citations": [{"type": "char_location"}]},
        "document.citations": {**DOCUMENT, "citations": {"enabled": True}},
        "image.transformations": {**IMAGE, "transformations": [{"type": "resize"}]},
        "container_upload": block("container_upload", file_id="file_1"),
        "any other": ANY_OTHER,
    },
    "assistant block": {
        "text": TEXT,
        "tool_use": TOOL_USE,
        "thinking": block("thinking", thinking="t", signature=signature("gAAA")),
        "redacted_thinking": block("redacted_thinking", data=signature("gAAA")),
        "image": IMAGE,
        "document": DOCUMENT,
        "compaction": block("compaction", content="Earlier."),
        **tagged(
            "web_search_tool_result",
            tool_use_id="srvtoolu_1",
            content=[block("web_search_result", title="t", url="u", encrypted_content="e")],
        ),
        **tagged("web_fetch_tool_result", tool_use_id="srvtoolu_1", content=FETCHED),
        **tagged(
            "code_execution_tool_result",
            "bash_code_execution_tool_result",
            tool_use_id="srvtoolu_1",
            content={"stdout": "x", "stderr": "", "return_code": 0},
        ),
        **tagged("text_editor_code_execution_tool_result", content={"content": "x"}),
        **tagged("advisor_tool_result", content=block("advisor_result", text="x")),
        **tagged("mcp_tool_result", tool_use_id="mcptoolu_1", content=[TEXT]),
        **tagged("server_tool_use", "mcp_tool_use", id="srvtoolu_1", name="f", input={"a": "x"}),
        **tagged("tool_search_tool_result", content={"tool_references": [{"tool_name": "f"}]}),
        **tagged("mcp_tool_listing", server_name="m", tools=[{"name": "f"}]),
        **tagged("fallback", **{"from": {"model": "a"}, "to": {"model": "b"}}),
        "tool_use.caller": {**TOOL_USE, "caller": {"type": "direct"}},
        "tool_use.toolset_name": {**TOOL_USE, "toolset_name": "t"},
    },
    "system block": {
        "text": TEXT,
        "tool_addition": block(
            "tool_addition", tool={"type": "tool_definition", "definition": CUSTOM}
        ),
        "tool_removal": block("tool_removal", tool={"tool_name": "get_weather"}),
    },
    "tool": {
        "custom": CUSTOM,
        "custom.defer_loading": {**CUSTOM, "defer_loading": True},
        "custom.input_examples": {**CUSTOM, "input_examples": [{"a": "x"}]},
        "custom.strict": {**CUSTOM, "strict": True},
        "custom.eager_input_streaming": {**CUSTOM, "eager_input_streaming": True},
        "custom.allowed_callers": {**CUSTOM, "allowed_callers": ["direct"]},
        "custom.cache_control": {**CUSTOM, "cache_control": {"type": "ephemeral"}},
        "web_search_20250305": WEB_SEARCH,
        "web_search_20260318": {**WEB_SEARCH, "type": "web_search_20260318"},
        "web_search_20250305.allowed_domains": {**WEB_SEARCH, "allowed_domains": ["a.test"]},
        "web_search_20250305.user_location": {**WEB_SEARCH, "user_location": {"city": "Oslo"}},
        "web_search_20250305.blocked_domains": {**WEB_SEARCH, "blocked_domains": ["a.test"]},
        "web_search_20250305.max_uses": {**WEB_SEARCH, "max_uses": 1},
        **tagged(
            "bash_20250124",
            "text_editor_20250728",
            "memory_20250818",
            "tool_search_tool_bm25_20251119",
            "tool_search_tool_regex_20251119",
            "web_fetch_20260318",
            "code_execution_20260521",
            "computer_20251124",
            "computer_toolset_20260801",
            "browser_toolset_20260801",
            "advisor_20260301",
            "mcp_toolset",
            name="t",
        ),
    },
}

CHAT: dict[str, dict[str, Any]] = {
    "field": {
        "model": "gpt-5.4",
        "messages": [{"role": "user", "content": "other"}],
        "stream": False,
        "stream_options.include_usage": True,
        "stop": ["e"],
        "tools": [{"type": "function", "function": {"name": "g"}}],
        "functions": [{"name": "g"}],
        "web_search_options": {},
        "tool_choice": "required",
        "function_call": "none",
        "parallel_tool_calls": False,
        "prompt_cache_key": "conversation-7",
        "reasoning_effort": "low",
        "reasoning.effort": "low",
        "response_format": {"type": "json_object"},
        "verbosity": "low",
        "service_tier": "priority",
        "temperature": 0.5,
        "top_p": 0.5,
        "top_k": 3,
        "frequency_penalty": 1,
        "presence_penalty": 1,
        "seed": 7,
        "logit_bias": {"1": 1},
        "max_tokens": 5,
        "max_completion_tokens": 5,
        "max_output_tokens": 5,
        "logprobs": True,
        "top_logprobs": 2,
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "store": True,
        "prediction": {"type": "content", "content": "x"},
        "moderation": {"mode": "auto"},
        "audio": {"voice": "alloy", "format": "wav"},
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_retention": "24h",
        "stream_options.include_obfuscation": False,
        "thinking": {"type": "enabled"},
        "enable_thinking": True,
        "think": True,
        "n": 2,
        "modalities": ["text", "audio"],
    },
    "message": {
        "system": {"role": "system", "content": "x"},
        "developer": {"role": "developer", "content": "x"},
        "user": {"role": "user", "content": "x"},
        "assistant": {"role": "assistant", "content": "x"},
        "tool": {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        "function": {"role": "function", "name": "f", "content": "x"},
    },
    "user part": {
        "text": TEXT,
        "image_url": {"type": "image_url", "image_url": {"url": chat_bodies.PIXEL}},
        "file": {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:;base64,AA=="}},
        "file.file_id": {"type": "file", "file": {"file_id": "file_1"}},
        "input_audio": {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        "any other": ANY_OTHER,
    },
    "assistant part": {
        "text": TEXT,
        "refusal": {"type": "refusal", "refusal": "no"},
        "any other": ANY_OTHER,
    },
    "assistant member": {
        "content": "other",
        "refusal": "no",
        "tool_calls": [chat_bodies.function_call()],
        "function_call": {"name": "f", "arguments": "{}"},
        "reasoning_content": "hm",
        "audio": {"id": "audio_1"},
        "name": "a",
    },
    "tool": {
        "function": {"type": "function", "function": {"name": "g"}},
        "custom": {"type": "custom", "custom": {"name": "g"}},
        "web_search": {"type": "web_search"},
        "any other": ANY_OTHER,
    },
}

RESPONSES: dict[str, dict[str, Any]] = {
    "field": {
        "model": "gpt-5.4",
        "input": "other",
        "instructions": "Be brief.",
        "tools": [{"type": "function", "name": "g"}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "text": {"verbosity": "low"},
        "include": ["web_search_call.action.sources"],
        "prompt_cache_key": "conversation-7",
        "client_metadata": {"a": "b"},
        "access_programs": ["p"],
        "reasoning.summary": "auto",
        "reasoning.context": "all_turns",
        "reasoning.effort": "low",
        "reasoning.generate_summary": "auto",
        "service_tier": "priority",
        "stream": False,
        "store": False,
        "previous_response_id": "resp_1",
        "temperature": 0.5,
        "top_p": 0.5,
        "top_logprobs": 2,
        "max_output_tokens": 5,
        "max_tool_calls": 5,
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "truncation": "auto",
        "stream_options": {"include_obfuscation": False},
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_retention": "24h",
        "context_management": [{"type": "compaction", "compact_threshold": 9}],
        "moderation": {"mode": "auto"},
        "image": {"detail": "low"},
        "background_options": {"a": "b"},
        "background": True,
        "conversation": "conv_1",
        "prompt": {"id": "pmpt_1"},
    },
    "item": {
        "message": HI_ITEM,
        "function_call": CALL,
        "custom_tool_call": CUSTOM_CALL,
        **tagged("function_call_output", "custom_tool_call_output", call_id="call_1", output="x"),
        **tagged("reasoning", summary=[], encrypted_content="gAAA"),
        **tagged("compaction", encrypted_content="gAAA"),
        **tagged("compaction_trigger"),
        **tagged("additional_tools", role="developer", tools=[{"type": "function", "name": "g"}]),
        **tagged("web_search_call", id="ws_1", status="completed"),
        **tagged("image_generation_call", id="ig_1", status="completed", result="AA=="),
        "any other": ANY_OTHER,
        "item_reference": {"type": "item_reference", "id": "msg_1"},
    },
    "tool": {
        **tagged("function", "custom", "namespace", name="g"),
        **tagged("web_search", "image_generation", "local_shell", "tool_search"),
        "any other": ANY_OTHER,
        **tagged("web_search_preview", "web_search_2025_08_26"),
    },
}

IMAGES: dict[str, dict[str, Any]] = {
    "field": {
        "prompt": "a pear",
        "size": "1536x1024",
        "background": "transparent",
        "n": 2,
        "quality": "hd",
        "model": "gpt-image-2.5-flare",
        "output_format": "webp",
        "output_compression": 50,
        "stream": True,
        "partial_images": 2,
        "response_format": "url",
        "moderation": "low",
        "style": "vivid",
        "user": "u",
        "safety_identifier": "s",
        "svg": {"a": 1},
        "complexity": "low",
        "frame_count": 2,
        "frame_duration_ms": 40,
    },
}

SAMPLES = {
    "Messages": MESSAGES,
    "Chat Completions": CHAT,
    "Responses": RESPONSES,
    "Image generation": IMAGES,
}
"""By heading of the table, part, and name."""
