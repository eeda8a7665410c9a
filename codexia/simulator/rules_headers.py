"""What the backend asks of the headers: an identity that the edge lets through, and a login."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from codexia.simulator.findings import (
    Finding,
    cloudflare_answer,
    detail_answer,
    expired_answer,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TokenState = Literal["valid", "expired", "unknown"]

WEBSOCKET_BETA = "responses_websockets=2026-02-06"

LIBRARY_USER_AGENT = re.compile(
    r"\s*(python|aiohttp|httpx|requests|urllib|reqwest|curl|wget|go-http-client|okhttp|axios|node"
    r"|java|libwww|undici|bun)\b",
    re.IGNORECASE,
)
"""Names that HTTP libraries give themselves; the edge challenges them."""


def check_identity(headers: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what the edge finds, before any login is looked at."""
    user_agent = headers.get("User-Agent", "")
    if not user_agent or LIBRARY_USER_AGENT.match(user_agent):
        detail = f"User-Agent {user_agent!r} does not name a client"
        yield Finding("user_agent", detail, cloudflare_answer())


def check_originator(headers: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding if the client does not say which program it is."""
    if not headers.get("originator"):
        yield Finding("originator", "no originator header", cloudflare_answer())


def check_login(
    headers: Mapping[str, str], token_state: TokenState, account_id: str
) -> Iterator[Finding]:
    """Yield what is wrong with the login; `token_state` is that of the bearer token."""
    unauthorized = detail_answer("Unauthorized", 401)
    has_token = headers.get("Authorization", "").startswith("Bearer ")
    match token_state if has_token else "missing":
        case "missing":
            yield Finding("authorization", "no bearer token", unauthorized)
        case "unknown":
            yield Finding("token_unknown", "not an issued token", unauthorized, is_violation=False)
        case "expired":
            text = "the token is expired"
            yield Finding("token_expired", text, expired_answer(), is_violation=False)
        case "valid":
            pass
    if headers.get("ChatGPT-Account-ID") != account_id:
        yield Finding("account_id", "ChatGPT-Account-ID is not the token's account", unauthorized)


def check_responses_headers(headers: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the headers that only `/codex/responses` has."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        yield refused("content_type", f"Unsupported media type: {media_type or 'none'}")
    if "text/event-stream" not in headers.get("Accept", ""):
        yield Finding("accept", "Accept is not text/event-stream")
    if not headers.get("session-id"):
        yield Finding("session_id", "no session-id header: prompt cache hits depend on it")


def check_upgrade_headers(headers: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the headers that only the upgrade to a WebSocket has."""
    if headers.get("OpenAI-Beta") != WEBSOCKET_BETA:
        yield refused("openai_beta", f"OpenAI-Beta must be {WEBSOCKET_BETA}")
    if not headers.get("session-id"):
        yield Finding("session_id", "no session-id header: prompt cache hits depend on it")
    if "x-openai-internal-codex-responses-lite" in headers:
        yield Finding("lite_header", "Responses Lite is asked for in client_metadata here")
