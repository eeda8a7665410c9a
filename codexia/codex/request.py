"""The request as the Codex backend takes it.

The backend refuses every top-level field that it does not know with `400 {"detail":
"Unsupported parameter: X"}`, so a body is built from an allow-list and never by removal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

ENCRYPTED_REASONING: Final = "reasoning.encrypted_content"

BODY_FIELDS: Final = frozenset(
    {
        "access_programs",
        "client_metadata",
        "include",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "prompt_cache_key",
        "reasoning",
        "service_tier",
        "text",
        "tool_choice",
        "tools",
    }
)
"""Top-level fields that pass to the backend; `store` and `stream` are set by `codex_body`."""

MAX_CACHE_KEY_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class CodexRequest:
    """One call of `POST /codex/responses`.

    Attributes:
        body: the allow-listed body, complete.
        session_key: stable for a conversation; prompt caching upstream depends on it.
        headers: client headers that pass through, lower-case names (Codex CLI's own).
    """

    body: dict[str, Any] = field(repr=False)
    session_key: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def codex_request(
    fields: dict[str, Any], *, session: str | None = None, headers: Mapping[str, str] | None = None
) -> CodexRequest:
    """Return the request for `fields`, keeping of them what the backend takes.

    Args:
        fields: `model`, `input` (a list) and any other Responses fields.
        session: the client's own name for the conversation, if it has one. Without one the
            key is derived from what stays the same over a conversation.
        headers: client headers to pass through.
    """
    body = {
        name: value for name, value in fields.items() if name in BODY_FIELDS and value is not None
    }
    body.setdefault("instructions", "")
    body["store"] = False
    body["stream"] = True
    include = [entry for entry in body.get("include", ()) if entry != ENCRYPTED_REASONING]
    body["include"] = [ENCRYPTED_REASONING, *include]
    if not body.get("tools") and not _adds_tools(body["input"]):
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    _keep_known_service_tier(body)
    key = body.get("prompt_cache_key") or session or _derived_key(body)
    body["prompt_cache_key"] = session_key(key)
    return CodexRequest(body, body["prompt_cache_key"], headers or {})


def without_reasoning(request: CodexRequest) -> CodexRequest:
    """Return the request without replayed reasoning, which the backend can refuse to decrypt.

    Encrypted reasoning is bound to the account and the model family that made it.
    """
    items = [item for item in request.body["input"] if item.get("type") != "reasoning"]
    return CodexRequest({**request.body, "input": items}, request.session_key, request.headers)


def session_key(name: str) -> str:
    """Return `name` as a cache key; one that is too long is replaced by its digest."""
    if len(name) <= MAX_CACHE_KEY_CHARS and name.isascii() and name.isprintable():
        return name
    return _uuid(blake2b(name.encode(), digest_size=16))


def _adds_tools(items: list[dict[str, Any]]) -> bool:
    """Return whether the tools stand in the input, as some Codex clients send them."""
    return any(item.get("type") == "additional_tools" for item in items)


def _keep_known_service_tier(body: dict[str, Any]) -> None:
    # The backend knows "priority" and "flex"; ChatGPT calls the first "fast".
    tier = body.pop("service_tier", None)
    if tier in {"priority", "fast"}:
        body["service_tier"] = "priority"
    elif tier == "flex":
        body["service_tier"] = "flex"


def _derived_key(body: dict[str, Any]) -> str:
    """Return a key from the model, the instructions and the input up to the first user message."""
    digest = blake2b(f"{body.get('model')}\n{body['instructions']}\n".encode(), digest_size=16)
    for item in body.get("input", ()):
        digest.update(orjson.dumps(item))
        if item.get("role") == "user":
            break
    return _uuid(digest)


def _uuid(digest: blake2b) -> str:
    return str(UUID(bytes=digest.digest(), version=5))
