"""What the token endpoint answers: tokens, the claims inside them, and errors.

An error is final when the refresh token itself is refused; everything else may pass. The
codes come in three shapes, `{"error": {"code"}}`, `{"error": "code"}` and `{"code"}`, with
status 400 or 401.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from codexia.errors import LoginRequired, UpstreamError

TERMINAL_CODES: Final = {
    "refresh_token_expired": "the login has expired",
    "refresh_token_reused": "the login was refreshed by another program, which voids this copy",
    "refresh_token_invalidated": "the login was revoked",
    "invalid_grant": "the login is no longer valid",
}
"""Codes after which a refresh token must never be sent again, and what they mean."""

AUTH_CLAIM: Final = "https://api.openai.com/auth"
PROFILE_CLAIM: Final = "https://api.openai.com/profile"


class LoginExpired(LoginRequired):
    """The authority refuses the token or code for good; only a new login helps."""


class AuthorityUnavailable(UpstreamError):
    """The authority could not be reached or failed; the token may still be good."""

    code = "authority_unavailable"


class AuthorityUnreachable(AuthorityUnavailable):
    """There was no connection to the authority: nothing was sent."""


class AuthorityBusy(AuthorityUnavailable):
    """The authority turned a request away before it did anything with it."""


BUSY_STATUSES: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class TokenReply:
    """Fresh tokens. Of a refresh, any of them may be absent: the old one stays valid then.

    Attributes:
        expires_in_s: lifetime of the access token, where the reply says it.
    """

    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in_s: int | None = None


def parse_token_reply(body: bytes) -> TokenReply:
    """Return the tokens of a 200 reply.

    Raises:
        AuthorityUnavailable: it is not a JSON object, so some proxy answered.
    """
    reply = object_of(body)
    if reply is None:
        raise AuthorityUnavailable("the login server sent a reply that is not JSON")
    expires_in = reply.get("expires_in")
    return TokenReply(
        text_of(reply, "access_token"),
        text_of(reply, "refresh_token"),
        int(expires_in) if isinstance(expires_in, (int, float)) and expires_in > 0 else None,
    )


def failure_of_reply(status: int, body: bytes) -> LoginExpired | AuthorityUnavailable:
    """Return the error that a reply other than 200 means; never with the body in it."""
    code = code_of(object_of(body) or {})
    if code in TERMINAL_CODES:
        return LoginExpired(f"{TERMINAL_CODES[code]} ({code}); run `codexia login`", code=code)
    if status == 401:
        return LoginExpired("the login server refused the login; run `codexia login`")
    named = f" ({code})" if code else ""
    kind = AuthorityBusy if status in BUSY_STATUSES else AuthorityUnavailable
    return kind(f"the login server answered {status}{named}")


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says of itself. Nobody checks its signature here."""

    account_id: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    plan: str = ""
    expires_at: int | None = None


def claims_of(token: str) -> Claims:
    """Return the claims of a JWT; empty ones for a token that is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return Claims()
    try:
        payload = object_of(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))) or {}
    except (Base64Error, ValueError):
        return Claims()
    auth: Any = payload.get(AUTH_CLAIM)
    profile: Any = payload.get(PROFILE_CLAIM)
    expires_at = payload.get("exp")
    return Claims(
        text_of(auth, "chatgpt_account_id") or "",
        text_of(profile, "email") or text_of(payload, "email") or "",
        text_of(auth, "chatgpt_plan_type") or "",
        int(expires_at) if isinstance(expires_at, (int, float)) else None,
    )


def object_of(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a body is, None for anything else."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return payload if isinstance(payload, dict) else None  # pyright: ignore[reportUnknownVariableType]


def code_of(reply: dict[str, Any]) -> str:
    """Return the code of an error in any of its shapes, "" where there is none."""
    error: Any = reply.get("error")
    if isinstance(error, dict):
        return text_of(error, "code") or text_of(error, "type") or ""  # pyright: ignore[reportUnknownArgumentType]
    return error if isinstance(error, str) else text_of(reply, "code") or ""


def text_of(fields: Any, key: str) -> str | None:
    """Return a member that is a text and not empty."""
    value = fields.get(key) if isinstance(fields, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value if isinstance(value, str) and value else None
