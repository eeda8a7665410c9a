"""Whether the plan lets requests through: what is believed of its limits, and for how long.

| what is seen | what follows |
|---|---|
| the backend refuses a request for the plan's sake | a belief that the model's requests are refused |
| the usage endpoint says later that the plan's own limit is reached | the belief is of every model that has no limit of its own |
| it says that the limit of that refusal is reached | the belief is renewed |
| it says that nothing is reached | the belief is dropped |
| nothing, for `BELIEF_S` | the belief lapses, and one request finds out |

A belief never outlives the moment at which its limit resets. The usage endpoint alone founds
none: only a refused request proves that credits or a promotion do not help.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from codexia.codex.rate_limits import PLAN_LIMIT
from codexia.control import Cooldown

if TYPE_CHECKING:
    from codexia.account import PlanRefusal
    from codexia.codex.rate_limits import Limit, RateLimits

BELIEF_S: Final = 90.0
EVERY_MODEL: Final = ""


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of one model, or of all; `seen_at` is when it was last confirmed."""

    model: str
    message: str
    plan: str
    limit_id: str
    resets_at: int | None
    seen_at: float
    exempt: tuple[str, ...] = ()

    @property
    def until(self) -> float:
        """When it lapses, unless it is confirmed again."""
        lapses_at = self.seen_at + BELIEF_S
        return lapses_at if self.resets_at is None else min(lapses_at, self.resets_at)

    def cooldown(self) -> Cooldown:
        """Return what workers act by."""
        return Cooldown(
            model=self.model,
            exempt=self.exempt,
            believed_until=self.until,
            resets_at=self.resets_at,
            message=self.message,
            plan=self.plan,
        )


class Quota:
    """The beliefs. It reads no clock: callers say what time it is."""

    def __init__(self) -> None:
        self._beliefs: dict[str, Belief] = {}

    def refused(self, refusal: PlanRefusal) -> None:
        """Take note that the backend refused a request."""
        known = self._beliefs.get(refusal.model)
        if known and known.seen_at >= refusal.at:
            return
        self._beliefs[refusal.model] = Belief(
            refusal.model,
            refusal.message,
            refusal.plan,
            refusal.limit_id,
            refusal.resets_at,
            refusal.at,
        )

    def told(self, limits: RateLimits, asked_at: float) -> None:
        """Take note of what the usage endpoint said when it was asked at `asked_at`."""
        beliefs, self._beliefs = self._beliefs, {}
        for model, belief in beliefs.items():
            if belief.seen_at > asked_at:
                self._beliefs[model] = belief
                continue
            limit = _reached(limits, belief)
            if limit is None:
                continue
            renewed = replace(
                belief, resets_at=limit.resets_at or belief.resets_at, seen_at=asked_at
            )
            if limit.id == PLAN_LIMIT:
                renewed = replace(
                    renewed,
                    model=EVERY_MODEL,
                    limit_id=PLAN_LIMIT,
                    exempt=_with_own_limit(limits),
                )
            self._beliefs[renewed.model] = renewed

    def cooldowns(self, now: float) -> tuple[Cooldown, ...]:
        """Return what holds, those of every model first."""
        holding = (belief for belief in self._beliefs.values() if belief.until > now)
        return tuple(
            belief.cooldown() for belief in sorted(holding, key=lambda belief: belief.model)
        )

    def until(self, model: str, now: float) -> float:
        """Return until when a model's requests are refused, unix seconds; 0.0 when they are not."""
        return max(
            (
                cooldown.believed_until
                for cooldown in self.cooldowns(now)
                if cooldown.applies_to(model)
            ),
            default=0.0,
        )


def _reached(limits: RateLimits, belief: Belief) -> Limit | None:
    """Return the limit that still refuses what a belief says is refused.

    A refusal can name no limit, or the plan's own in words that the usage endpoint does not have.
    """
    limit = (
        limits.limit(belief.limit_id)
        or next((each for each in limits.limits if each.name.lower() == belief.model), None)
        or limits.limit(PLAN_LIMIT)
    )
    return limit if limit is not None and limit.reached else None


def _with_own_limit(limits: RateLimits) -> tuple[str, ...]:
    """Return the models that further limits are named for and that have something left."""
    return tuple(
        limit.name.lower()
        for limit in limits.limits
        if limit.id != PLAN_LIMIT and not limit.reached
    )
