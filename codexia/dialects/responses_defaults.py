"""The members that a response object must have, and what they are when nobody said.

The backend leaves several of them out, and strict clients insist on them:
https://platform.openai.com/docs/api-reference/responses/object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codexia.codex.payload import children_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.codex.usage import Usage


def response_defaults() -> dict[str, Any]:
    """Return a response object in which only `id`, `created_at`, `status` and `model` lack."""
    return {
        "object": "response",
        "background": False,
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "output": [],
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


UPSTREAM_ONLY: Final = frozenset({"instructions", "prompt_cache_key", "safety_identifier", "user"})
"""Members in which the backend tells the gateway's own doings or names the operator's account."""


def filled_response(response: Mapping[str, Any], echo: Mapping[str, Any]) -> dict[str, Any]:
    """Return a complete response object.

    Args:
        response: what the backend said; wins over the defaults.
        echo: what the client asked for; wins over both.
    """
    filled = {name: value for name, value in response.items() if name not in UPSTREAM_ONLY}
    for name, value in response_defaults().items():
        if filled.get(name) is None:
            filled[name] = value
    filled.update(echo)
    filled["tools"] = [_filled_tool(tool) for tool in children_at(filled, "tools")]
    return filled


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return token counts as a response object has them."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def _filled_tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return tool
    return {"description": None, "parameters": None, "strict": False, **tool}
