"""The questions about an account, and what their answers mean.

Asked by the supervisor with a login that it can refresh, by `codexia status` without one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from codexia.backend import BackendUnavailable, object_of_reply
from codexia.codex.account import Account
from codexia.codex.payload import text_at
from codexia.codex.rate_limits import RateLimits
from codexia.oauth.replies import claims_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.codex.payload import Json
    from codexia.codex.upstream import CodexUpstream
    from codexia.http import httpx

TIMEOUT_S: Final = 5.0
"""A person waits for the answers."""


class Ask(Protocol):
    """Gets what is at an address of the backend."""

    async def __call__(
        self, url_of: Callable[[CodexUpstream], str], *, timeout_s: float
    ) -> httpx.Response:
        """Return the reply, whatever its status."""
        ...


async def ask_usage(ask: Ask) -> tuple[RateLimits, Account]:
    """Return what is left, and what the same answer tells of the account.

    Raises:
        BackendUnavailable: there is no usable answer.
    """
    usage = await _object(ask, lambda upstream: upstream.usage_url)
    limits = RateLimits.of_usage(usage, time.time())
    account = Account(email=text_at(usage, "email") or None, plan=limits.plan or None)
    if not any(limit.windows for limit in limits.limits):
        raise BackendUnavailable("the backend's answer names no window")
    return limits, account


async def ask_account(ask: Ask, account_id: str) -> tuple[Account, str]:
    """Return the account and what is missing of it, "" if nothing is.

    Only the older endpoint has the subscription; the newer one is asked where that fails.

    Raises:
        BackendUnavailable: neither gives a usable answer.
    """
    try:
        reply = await _object(ask, lambda upstream: upstream.account_url)
        return _found(Account.of_check(reply, account_id)), ""
    except BackendUnavailable as error:
        reply = await _object(ask, lambda upstream: upstream.accounts_url)
        return _found(Account.of_list(reply, account_id)), f"subscription unavailable: {error}"


def account_of_token(access_token: str) -> Account:
    """Return what the token itself tells of the account."""
    claims = claims_of(access_token)
    return Account(email=claims.email or None, plan=claims.plan or None)


async def _object(ask: Ask, url_of: Callable[[CodexUpstream], str]) -> Json:
    return object_of_reply(await ask(url_of, timeout_s=TIMEOUT_S))


def _found(account: Account | None) -> Account:
    if account is None:
        raise BackendUnavailable("the backend's answer names no account")
    return account
