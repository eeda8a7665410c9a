"""The login authority's memory: grants, rotating refresh tokens, codes. No HTTP, no waiting.

Refresh tokens are single-use. Each success gives a new one and kills the old; a second use
of an old one kills its whole family, as the real authority does, so that a gateway that
refreshes twice loses its login instead of getting away with it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from codexia.simulator.rules_headers import TokenState
    from codexia.simulator.settings import Settings
    from codexia.simulator.stats import Stats

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
ACCOUNT_ID = "5b1f6c8a-3a0e-4d0c-9c55-2f2f6f1c0de5"
EMAIL = "simulated@example.com"
PLAN_TYPE = "pro"
GRANT_LIFETIME_S = 864_000
CODE_LIFETIME_S = 600
SCOPE = "openid profile email offline_access"
KEPT_REUSES = 1000


class GrantRefused(Exception):
    """The authority says no; `code` is its error code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(slots=True)
class Family:
    """One login: every refresh token that came from it stands or falls with it."""

    alive: bool = True


@dataclass(slots=True)
class RefreshToken:
    """A refresh token's state; `used_at` is on the monotonic clock."""

    family: Family
    used_at: float | None = None

    @property
    def reuse(self) -> dict[str, float]:
        """When it was used first and when once more, now, in unix seconds."""
        now = time.time()
        ago_s = 0.0 if self.used_at is None else time.monotonic() - self.used_at
        return {"used_at": now - ago_s, "reused_at": now}


@dataclass(slots=True)
class AccessToken:
    """An access token's state; `expired` overrules its time."""

    expires_at: float
    expired: bool = False
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """The tokens of one success."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str = field(repr=False)
    expires_at: int

    def auth_json(self) -> dict[str, Any]:
        """Return the credentials as the gateway stores them."""
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "expires_at": self.expires_at,
            "account_id": ACCOUNT_ID,
        }

    def token_reply(self) -> dict[str, Any]:
        """Return the body of a successful token request."""
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "id_token": self.id_token,
            "token_type": "Bearer",
            "scope": SCOPE,
            "expires_in": self.expires_at - int(time.time()),
        }


@dataclass(slots=True)
class PendingCode:
    """An authorization code that waits for its exchange."""

    redirect_uri: str
    code_challenge: str
    expires_at: float


class Authority:
    """Issues and judges tokens; counts refreshes and reuse in `stats`.

    Attributes:
        reuses: the last refresh tokens that were used twice, as `RefreshToken.reuse` has it.
    """

    def __init__(self, issuer: str, stats: Stats, settings: Settings) -> None:
        self.issuer = issuer
        self._settings = settings
        self._stats = stats
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._codes: dict[str, PendingCode] = {}
        self.reuses: deque[dict[str, float]] = deque(maxlen=KEPT_REUSES)

    def issue(self, expires_in_s: float = GRANT_LIFETIME_S) -> Grant:
        """Return the tokens of a fresh login."""
        return self._grant(Family(), expires_in_s)

    def refresh(self, token: str, *, rotate: bool = True) -> Grant:
        """Return new tokens for a refresh token and kill it, unless it is not to rotate.

        Raises:
            GrantRefused: if it is unknown, dead, or was used before.
        """
        known = self._refresh.get(token)
        if known is None:
            raise GrantRefused("refresh_token_invalidated", "Unknown refresh token.", 401)
        if known.used_at is not None and not self._is_in_grace(known.used_at):
            self._stats.refresh_token_reuse += 1
            self.reuses.append(known.reuse)
            known.family.alive = False
            message = (
                "Your refresh token has already been used to generate a new access token. "
                "Please try signing in again."
            )
            raise GrantRefused("refresh_token_reused", message, 401)
        if not known.family.alive:
            message = "Your refresh token has been invalidated. Please try signing in again."
            raise GrantRefused("refresh_token_invalidated", message, 401)
        if rotate and known.used_at is None:
            known.used_at = time.monotonic()
        self._stats.refreshes += 1
        return self._grant(known.family, self._settings.token_lifetime_s)

    def _is_in_grace(self, used_at: float) -> bool:
        return time.monotonic() - used_at < self._settings.reuse_grace_s

    def access_state(self, token: str) -> TokenState:
        """Return what the backend thinks of a bearer token."""
        known = self._access.get(token)
        if known is None or known.revoked:
            return "unknown"
        expired = known.expired or known.expires_at <= time.time()
        return "expired" if expired else "valid"

    def expire_access_tokens(self) -> None:
        """Make every access token issued so far answer as expired, whatever it says itself."""
        for token in self._access.values():
            token.expired = True

    def revoke(self, token: str) -> None:
        """End the login of a refresh token, or one access token; unknown ones are no error."""
        if token in self._refresh:
            self._refresh[token].family.alive = False
        if token in self._access:
            self._access[token].revoked = True

    def new_code(self, redirect_uri: str, code_challenge: str) -> str:
        """Return a single-use authorization code."""
        code = f"ac_{secrets.token_urlsafe(32)}"
        expires_at = time.time() + CODE_LIFETIME_S
        self._codes[code] = PendingCode(redirect_uri, code_challenge, expires_at)
        return code

    def exchange(self, code: str, redirect_uri: str, code_verifier: str) -> Grant:
        """Return the tokens for an authorization code.

        Raises:
            GrantRefused: if code, redirect or verifier do not fit together.
        """
        pending = self._codes.pop(code, None)
        if pending is None or pending.expires_at <= time.time():
            raise GrantRefused("invalid_grant", "Authorization code is unknown or was used.")
        if pending.redirect_uri != redirect_uri:
            raise GrantRefused("invalid_grant", "redirect_uri is not that of the authorization.")
        if pending.code_challenge != pkce_challenge(code_verifier):
            raise GrantRefused("invalid_grant", "code_verifier does not match the challenge.")
        return self.issue()

    def _grant(self, family: Family, expires_in_s: float) -> Grant:
        now = int(time.time())
        expires_at = now + int(expires_in_s)
        access_token = _jwt(self._claims(now, expires_at))
        refresh_token = f"rt_{secrets.token_urlsafe(48)}"
        self._access[access_token] = AccessToken(expires_at)
        self._refresh[refresh_token] = RefreshToken(family)
        id_token = _jwt({**self._claims(now, expires_at), "aud": [CLIENT_ID], "email": EMAIL})
        return Grant(access_token, refresh_token, id_token, expires_at)

    def _claims(self, now: int, expires_at: int) -> dict[str, Any]:
        return {
            "aud": ["https://api.openai.com/v1"],
            "client_id": CLIENT_ID,
            "exp": expires_at,
            "iat": now,
            "iss": self.issuer,
            "jti": secrets.token_hex(16),
            "sub": "auth0|simulated",
            "https://api.openai.com/auth": {
                "chatgpt_account_id": ACCOUNT_ID,
                "chatgpt_account_user_id": f"user-simulated__{ACCOUNT_ID}",
                "chatgpt_plan_type": PLAN_TYPE,
                "chatgpt_user_id": "user-simulated",
                "user_id": "user-simulated",
            },
            "https://api.openai.com/profile": {"email": EMAIL, "email_verified": True},
        }


def pkce_challenge(code_verifier: str) -> str:
    """Return the S256 challenge of a verifier."""
    return _base64url(hashlib.sha256(code_verifier.encode()).digest())


def _jwt(claims: dict[str, Any]) -> str:
    """Return an unsigned token: clients read the claims and cannot check the signature."""
    head = orjson.dumps({"alg": "none", "typ": "JWT"})
    return ".".join(map(_base64url, [head, orjson.dumps(claims), b"simulated"]))


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
