"""Device login: a code shown here is approved in a browser on any other machine.

It is close to https://www.rfc-editor.org/rfc/rfc8628, but with addresses, statuses and members
of the authority's own, and an approval gives an authorization code in place of tokens. This
module only reads answers; `client` sends and `device_wait` waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from codexia.errors import LoginRequired
from codexia.oauth.replies import (
    AuthorityUnavailable,
    code_of,
    failure_of_reply,
    object_of,
    text_of,
)

LIFETIME_S: Final = 900.0
"""A code is good for 15 minutes at most."""

DEFAULT_INTERVAL_S: Final = 5.0
SLOW_DOWN_S: Final = 5.0

PENDING_STATUSES: Final = frozenset({403, 404})
"""What a poll gets before the approval, with or without a code in the body."""

SECURITY_SETTINGS: Final = "https://chatgpt.com/#settings/Security"


class DeviceLoginOff(LoginRequired):
    """The account, or its authority, does not allow device codes."""


class DeviceLoginFailed(LoginRequired):
    """The code was declined or has expired."""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A device login that has begun.

    Attributes:
        user_code: what a person types in the browser.
        interval_s: how long to wait between polls.
        lifetime_s: how long the code can be approved.
    """

    device_auth_id: str = field(repr=False)
    user_code: str = field(repr=False)
    interval_s: float = DEFAULT_INTERVAL_S
    lifetime_s: float = LIFETIME_S


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """An approved login: what to exchange, and with which verifier."""

    authorization_code: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody has decided yet; poll again after the interval, and `longer_s` on top from now on."""

    longer_s: float = 0.0


def parse_device_code(body: bytes) -> DeviceCode:
    """Return the code of a 200 reply.

    Raises:
        AuthorityUnavailable: there is none in it.
    """
    reply = object_of(body) or {}
    device_auth_id = text_of(reply, "device_auth_id")
    user_code = text_of(reply, "user_code") or text_of(reply, "usercode")
    if not device_auth_id or not user_code:
        raise AuthorityUnavailable(
            "the login server's reply holds no device code; try `codexia login` without --device"
        )
    return DeviceCode(
        device_auth_id,
        user_code,
        _seconds(reply.get("interval"), DEFAULT_INTERVAL_S),
        min(_seconds(reply.get("expires_in"), LIFETIME_S), LIFETIME_S),
    )


def failure_of_device_code(status: int, body: bytes) -> LoginRequired | AuthorityUnavailable:
    """Return the error that a reply other than 200 means."""
    if status == 404:
        return DeviceLoginOff(
            "device codes are not enabled for this account; allow device code authorization "
            f"in ChatGPT's security settings ({SECURITY_SETTINGS}), in a workspace ask its "
            "administrator, or run `codexia login` without --device"
        )
    return failure_of_reply(status, body)


def outcome_of_poll(status: int, body: bytes) -> DeviceGrant | Wait:
    """Return what the answer to a poll means.

    Raises:
        DeviceLoginFailed: the code was declined or has expired.
        AuthorityUnavailable: it is no answer; the next poll may get one.
    """
    reply = object_of(body) or {}
    if status == 200:
        return _grant(reply)
    code = code_of(reply)
    if code == "slow_down" or status == 429:
        return Wait(SLOW_DOWN_S)
    if "expired" in code:
        raise expired()
    if "denied" in code:
        raise DeviceLoginFailed(
            f"the login was declined in the browser ({code}); run `codexia login --device` again"
        )
    if status in PENDING_STATUSES:
        return Wait()
    raise AuthorityUnavailable(f"the login server answered {status}")


def expired() -> DeviceLoginFailed:
    """Return the error of a code that nobody approved in time."""
    return DeviceLoginFailed(
        "nobody approved the code before it expired; run `codexia login --device` for a new one"
    )


def _grant(reply: dict[str, Any]) -> DeviceGrant:
    code, verifier = text_of(reply, "authorization_code"), text_of(reply, "code_verifier")
    if not code or not verifier:
        raise DeviceLoginFailed(
            "the login server approved the code but sent no authorization; "
            "run `codexia login` without --device"
        )
    return DeviceGrant(code, verifier)


def _seconds(value: Any, otherwise: float) -> float:
    """Return a positive number, which may come as a text."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return otherwise
    return seconds if 0 < seconds < float("inf") else otherwise
