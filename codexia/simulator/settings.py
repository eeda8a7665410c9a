"""What can be set about a simulator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """Pacing of streams, and what the login authority allows.

    Attributes:
        gap_ms: pause before each delta where the prompt does not set one.
        speed: every such pause is divided by this.
        device_interval_s: how often a device login may be polled.
        token_lifetime_s: of the access tokens that a refresh gives.
        socket_lifetime_s: how long a WebSocket takes messages.
        reuse_grace_s: how long after its use a refresh token gives tokens once more.
        forgiven: kinds of findings that are counted and not answered: what other gateways leave
            out, and the real backend is seen to let pass.
    """

    gap_ms: float = 0
    speed: float = 1
    device_interval_s: int = 1
    token_lifetime_s: float = 864_000
    reuse_grace_s: float = 0
    socket_lifetime_s: float = 3600
    forgiven: frozenset[str] = frozenset()

    def gap_s(self, asked_ms: float | None) -> float:
        """Return the pause before each delta; `asked_ms` is what the prompt says."""
        return (self.gap_ms if asked_ms is None else asked_ms) / 1000 / self.speed

    def first_s(self, asked_ms: float | None) -> float | None:
        """Return the pause before the first delta, None if the prompt says nothing of it."""
        return None if asked_ms is None else asked_ms / 1000 / self.speed
