"""What the outcome of an item means: its end, another try, or a pause of the whole queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from codexia.batches import Outcome

MAX_ATTEMPTS: Final = 5
FIRST_BACKOFF_S: Final = 2.0
MAX_BACKOFF_S: Final = 120.0

PLAN_LIMIT: Final = frozenset({"usage_limit_reached", "insufficient_quota", "usage_not_included"})
OVERLOAD: Final = frozenset({"server_is_overloaded", "rate_limit_exceeded"})
UNREACHABLE: Final = frozenset({"upstream_unreachable"})
LOGIN: Final = frozenset({"login_required", "token_rejected"})
INTERRUPTED: Final = frozenset({"state_unavailable", "supervisor_unavailable", "worker_stopping"})
"""The item is as good as not begun."""

Pause = Literal["plan_limit", "overload", "unreachable", "login"]


@dataclass(frozen=True, slots=True)
class Settled:
    """The item has its outcome."""

    succeeded: bool


@dataclass(frozen=True, slots=True)
class Retried:
    """The item goes back, and an attempt is used up."""

    attempts: int
    after_s: float


@dataclass(frozen=True, slots=True)
class Returned:
    """The item goes back as if it had not begun.

    Attributes:
        pause: what holds up other items too: all of them, or with `plan_limit` those of its batch.
        after_s: how long, where that is known.
    """

    pause: Pause | None
    after_s: float | None = None


Verdict = Settled | Retried | Returned


def judge(outcome: Outcome, attempts: int) -> Verdict:
    """Return what becomes of an item that has failed `attempts` times before."""
    if outcome.status < 400:
        return Settled(succeeded=True)
    if outcome.cause in INTERRUPTED:
        return Returned(None)
    pause = _pause(outcome)
    if pause is not None:
        return Returned(pause, outcome.retry_after_s)
    if not outcome.retryable or attempts + 1 >= MAX_ATTEMPTS:
        return Settled(succeeded=False)
    backoff_s = min(FIRST_BACKOFF_S * 2**attempts, MAX_BACKOFF_S)
    return Retried(attempts + 1, max(backoff_s, outcome.retry_after_s or 0.0))


def _pause(outcome: Outcome) -> Pause | None:
    if outcome.cause in LOGIN:
        return "login"
    if outcome.cause in UNREACHABLE:
        return "unreachable"
    # The backend's own clients do not try again at a plan's limit, so it may say "not retryable".
    if outcome.cause in PLAN_LIMIT:
        return "plan_limit"
    if outcome.cause in OVERLOAD or outcome.status in (429, 503, 529):
        return "overload"
    return None
