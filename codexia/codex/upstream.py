"""Addresses, identity and headers of the Codex backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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

RETURNED_HEADERS: Final = ("x-codex-turn-state", "x-reasoning-included", "openai-model")
"""Reply headers that a client may need; those that tell of the account are not for clients."""


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
