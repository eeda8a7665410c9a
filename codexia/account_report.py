"""The account's status, made of what is known: by the supervisor, and without one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codexia.account import (
    AccountFacts,
    AccountStatus,
    CreditsStatus,
    TokenStatus,
    WindowStatus,
)
from codexia.codex.rate_limits import PLAN_LIMIT
from codexia.local_time import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codexia.codex.account import Account
    from codexia.codex.rate_limits import Credits, Limit, RateLimits


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a login and its account.

    Attributes:
        account_id: "" when nobody is logged in.
        expires_at: of the access token, unix seconds; 0 where nobody knows.
        hint: why requests cannot be served, "" when they can.
        warnings: what could not be found out.
    """

    account_id: str = ""
    expires_at: int = 0
    hint: str = ""
    account: Account | None = None
    limits: RateLimits | None = None
    warnings: Sequence[str] = ()


def account_status(known: Known, now: float) -> AccountStatus:
    """Return the status at the time `now`, without what only a running gateway knows."""
    told = known.limits.credits if known.limits else None
    return AccountStatus(
        account_id=known.account_id or None,
        token=_token(known.expires_at, now) if known.expires_at else None,
        account=_facts(known.account, now) if known.account else None,
        credits_balance=_whole(told.balance) if told else None,
        rate_limits=tuple(_windows(known.limits, now)),
        warnings=tuple(known.warnings),
        logged_in=bool(known.account_id) and not known.hint,
        login_hint=known.hint,
        credits=_credits(told) if told else None,
    )


def _token(expires_at: int, now: float) -> TokenStatus:
    return TokenStatus(
        expires_at=expires_at,
        remaining_seconds=max(0, int(expires_at - now)),
        expires_at_local=local_time(expires_at),
    )


def _facts(account: Account, now: float) -> AccountFacts:
    ends_at = _unix_s(account.subscription_expires_at)
    return AccountFacts(
        name=account.name,
        email=account.email,
        structure=account.structure,
        plan=account.plan,
        has_active_subscription=account.has_active_subscription,
        subscription_expires_at=account.subscription_expires_at,
        subscription_expires_at_local=local_time(ends_at),
        subscription_remaining_seconds=None if ends_at is None else int(ends_at - now),
    )


def _windows(limits: RateLimits | None, now: float) -> Iterator[WindowStatus]:
    for limit in limits.limits if limits else ():
        for window in limit.windows:
            at = window.reset_at
            # What is left in a window that began anew since it was told is all of it.
            is_new = at is not None and at <= now
            yield WindowStatus(
                name=_name(limit, window.name),
                remaining_percent=100.0 if is_new else float(window.remaining_percent),
                reset_at=None if at is None else str(at),
                reset_at_local=local_time(at),
                reset_in_seconds=None if at is None else max(0, int(at - now)),
                window_seconds=window.length_s,
            )


def _name(limit: Limit, window_name: str) -> str:
    return window_name if limit.id == PLAN_LIMIT else f"{limit.name} {window_name}"


def _credits(told: Credits) -> CreditsStatus:
    return CreditsStatus(
        has_credits=told.has_credits, unlimited=told.unlimited, balance=_whole(told.balance)
    )


def _whole(balance: float | None) -> int | float | None:
    """Return whole numbers as such."""
    return int(balance) if balance is not None and balance.is_integer() else balance


def _unix_s(date: str | None) -> float | None:
    try:
        moment = datetime.fromisoformat(date or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
