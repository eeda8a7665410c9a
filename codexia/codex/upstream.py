"""Addresses, identity and headers of the Codex backend."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.codex.request import CodexRequest

DEFAULT_BASE_URL: Final = "https://chatgpt.com/backend-api"
DEFAULT_ORIGINATOR: Final = "codexia"
DEFAULT_CLIENT_VERSION: Final = "0.169.0"

PASSED_HEADERS: Final = frozenset(
    {
        "thread-id",
        "x-client-request-id",
        "x-codex-beta-features",
        "x-codex-parent-thread-id",
        "x-codex-turn-metadata",
        "x-codex-turn-state",
        "x-codex-window-id",
        "x-openai-internal-codex-responses-lite",
        "x-openai-subagent",
    }
)
"""Headers of Codex clients that keep their meaning upstream; no others are forwarded."""

SERVED_MODEL_HEADER: Final = "openai-model"
RETURNED_HEADERS: Final = ("x-codex-turn-state", "x-reasoning-included", SERVED_MODEL_HEADER)
"""Reply headers that a client may need; those that tell of the account are not for clients."""

PLAN_HEADER: Final = "x-codex-plan-type"
ACTIVE_LIMIT_HEADER: Final = "x-codex-active-limit"
CREDITS_HEADER: Final = "x-codex-credits-{field}"
WINDOW_HEADER: Final = "x-{limit}-{slot}-{field}"
LIMIT_NAME_HEADER: Final = "x-{limit}-limit-name"

_LIMIT_HEADER = re.compile(
    r"x-([a-z0-9-]+)-(?:primary|secondary)"
    r"-(?:used-percent|window-minutes|reset-at|reset-after-seconds)"
)
_ACCOUNT_HEADER = re.compile(
    r"x-codex-(?:plan-type|active-limit|credits-[a-z-]+)|x-[a-z0-9-]+-limit-name"
)

LIMITS_EVENT: Final = "codex.rate_limits"

_DATE = re.compile(r"-20\d\d-\d\d-\d\d")


def is_replacement(asked: str, served: str) -> bool:
    """Return whether the backend served another model than was asked for.

    A date after the name is the version of the same model.
    """
    rest = served.removeprefix(asked)
    return bool(rest) and (rest == served or not _DATE.fullmatch(rest))


def limit_of_header(name: str) -> str:
    """Return the id of the limit that a reply header tells of, "" for any other header."""
    found = _LIMIT_HEADER.fullmatch(name)
    return found[1] if found else ""


def limit_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those of a reply's headers that tell of limits, under lower-case names."""
    named = ((name.lower(), value) for name, value in headers.items())
    return {
        name: value
        for name, value in named
        if _LIMIT_HEADER.fullmatch(name) or _ACCOUNT_HEADER.fullmatch(name)
    }


@dataclass(frozen=True, slots=True)
class Credential:
    """What a call to the backend is authorised with. Never the refresh token."""

    access_token: str = field(repr=False)
    account_id: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodexUpstream:
    """The backend as configured.

    Attributes:
        base_url: without a trailing slash, e.g. `https://chatgpt.com/backend-api`.
        originator: who we say we are; the backend expects one on every request.
        user_agent: library defaults are turned away with a Cloudflare page.
        client_version: gates which models the catalogue lists.
    """

    base_url: str
    originator: str
    user_agent: str
    client_version: str

    @property
    def responses_url(self) -> str:
        """Where a response is asked for."""
        return f"{self.base_url}/codex/responses"

    @property
    def images_url(self) -> str:
        """Where images are asked for, without a model in between."""
        return f"{self.base_url}/codex/images/generations"

    @property
    def models_url(self) -> str:
        """Where the account's catalogue is."""
        return f"{self.base_url}/codex/models?client_version={self.client_version}"

    @property
    def usage_url(self) -> str:
        """Where the account's usage windows are."""
        return f"{self.base_url}/wham/usage"

    @property
    def account_url(self) -> str:
        """Where the account and its subscription are; the older of two forms."""
        return f"{self.base_url}/accounts/check/v4-2023-04-27"

    @property
    def accounts_url(self) -> str:
        """Where the accounts of the login are, without their subscriptions."""
        return f"{self.base_url}/wham/accounts/check"

    def account_headers(self, credential: Credential) -> dict[str, str]:
        """Return the headers of every call."""
        return {
            "authorization": f"Bearer {credential.access_token}",
            "chatgpt-account-id": credential.account_id,
            "originator": self.originator,
            "user-agent": self.user_agent,
        }

    def responses_headers(self, credential: Credential, request: CodexRequest) -> dict[str, str]:
        """Return the headers of one streaming call; `session-id` is what makes caching work."""
        return {
            "thread-id": request.session_key,
            "x-client-request-id": request.session_key,
            **request.headers,
            **self.account_headers(credential),
            "openai-beta": "responses=experimental",
            "session-id": request.session_key,
            "accept": "text/event-stream",
            "accept-encoding": "identity",
            "content-type": "application/json",
        }

    def websocket_headers(self, credential: Credential, request: CodexRequest) -> dict[str, str]:
        """Return the headers of the upgrade that a conversation's WebSocket begins with."""
        return {
            "thread-id": request.headers.get("thread-id", request.session_key),
            "x-client-request-id": request.headers.get("x-client-request-id", request.session_key),
            **self.account_headers(credential),
            "openai-beta": "responses_websockets=2026-02-06",
            "session-id": request.session_key,
        }

    def images_headers(self, credential: Credential, turn_id: str) -> dict[str, str]:
        """Return the headers of one call of the images endpoint.

        Args:
            credential: what authorises it.
            turn_id: names what the client asked for, in all calls that this takes.
        """
        return {
            **self.account_headers(credential),
            "x-codex-image-turn-id": turn_id,
            "accept": "application/json",
            "accept-encoding": "identity",
            "content-type": "application/json",
        }
