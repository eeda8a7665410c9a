"""When a login is refreshed, and when not."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from codexia.oauth.credentials import Credentials

REFRESH_BEFORE_S: Final = 300
UNKNOWN_LIFETIME_S: Final = 8 * 24 * 3600
"""How long a token is trusted that does not say when it expires."""

FIRST_RETRY_S: Final = 1.0
MAX_RETRY_S: Final = 60.0
BURST: Final = 5
BURST_WINDOW_S: Final = 60.0
"""A backend that refuses every token must not make us spend refresh tokens without end."""


class RefreshSchedule:
    """The times of refreshes; all are unix seconds.

    Attributes:
        retry_at: no try on our own before this, because the last one failed.
    """

    def __init__(self) -> None:
        self.retry_at = 0.0
        self._failures = 0
        self._refreshed_at = 0.0
        self._burst: deque[float] = deque(maxlen=BURST)

    def due_at(self, held: Credentials) -> float:
        """Return when to refresh a login next; what failed is tried again however fresh it is."""
        if self._failures:
            return self.retry_at
        if held.expires_at == 0:
            due = self._refreshed_at + UNKNOWN_LIFETIME_S if self._refreshed_at else 0.0
        else:
            due = held.expires_at - REFRESH_BEFORE_S
            if self._refreshed_at:
                # Tokens that live shorter than our margin are used for half of their life.
                due = max(due, (self._refreshed_at + held.expires_at) / 2)
        return due

    def exhausted(self, now: float) -> bool:
        """Return whether there were so many refreshes that rejections cause no more for now."""
        return self.exhausted_for_s(now) > 0

    def exhausted_for_s(self, now: float) -> float:
        """Return how long there will have been too many refreshes; 0 if there were few."""
        if len(self._burst) < BURST:
            return 0.0
        return max(0.0, self._burst[0] + BURST_WINDOW_S - now)

    def failed(self, now: float) -> None:
        """Put the next try off, further each time."""
        self.retry_at = now + min(FIRST_RETRY_S * 2 ** min(self._failures, 16), MAX_RETRY_S)
        self._failures += 1

    def recovered(self) -> None:
        """Forget the failures."""
        self.retry_at, self._failures = 0.0, 0

    def replaced(self) -> None:
        """Start over with a login that came from elsewhere."""
        self.recovered()
        self._refreshed_at = 0.0

    def refreshed(self, now: float) -> None:
        """Start over with a fresh login."""
        self.replaced()
        self._refreshed_at = now
        self._burst.append(now)
