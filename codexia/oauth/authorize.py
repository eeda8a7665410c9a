"""The authority's addresses, and the URL that a person opens to log in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

if TYPE_CHECKING:
    from codexia.oauth.pkce import Pkce

DEFAULT_ISSUER: Final = "https://auth.openai.com"
CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
"""The public client of the Codex command line; the authority registers no other."""

SCOPE: Final = "openid profile email offline_access"
CALLBACK_PORTS: Final = (1455, 1457)
"""The ports whose redirect the authority accepts, in the order to try them."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An OAuth authority.

    Attributes:
        issuer: without a trailing slash, e.g. `https://auth.openai.com`.
    """

    issuer: str = DEFAULT_ISSUER

    @property
    def token_url(self) -> str:
        """Where codes and refresh tokens are traded for access tokens."""
        return f"{self.issuer}/oauth/token"

    @property
    def revoke_url(self) -> str:
        """Where tokens are given back."""
        return f"{self.issuer}/oauth/revoke"

    @property
    def device_code_url(self) -> str:
        """Where a login without a browser on this host begins."""
        return f"{self.issuer}/api/accounts/deviceauth/usercode"

    @property
    def device_token_url(self) -> str:
        """Where such a login waits for its approval."""
        return f"{self.issuer}/api/accounts/deviceauth/token"

    @property
    def device_page_url(self) -> str:
        """Where a person approves it."""
        return f"{self.issuer}/codex/device"

    @property
    def device_redirect_uri(self) -> str:
        """The redirect address that its codes are made for."""
        return f"{self.issuer}/deviceauth/callback"

    def authorize_url(self, pkce: Pkce, redirect_uri: str, originator: str) -> str:
        """Return the address to open in a browser."""
        query = urlencode(
            {
                "response_type": "code",
                "client_id": CLIENT_ID,
                "redirect_uri": redirect_uri,
                "scope": SCOPE,
                "code_challenge": pkce.challenge,
                "code_challenge_method": "S256",
                "id_token_add_organizations": "true",
                "codex_cli_simplified_flow": "true",
                "state": pkce.state,
                "originator": originator,
            }
        )
        return f"{self.issuer}/oauth/authorize?{query}"


def redirect_uri(port: int = CALLBACK_PORTS[0]) -> str:
    """Return the redirect address; its host must be spelled `localhost`."""
    return f"http://localhost:{port}/auth/callback"
