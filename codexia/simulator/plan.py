"""The account's plan as the simulated backend has it: one state behind endpoint, headers and 429s.

`POST /simulator/plan` changes it; what is left out stays:

| field | meaning |
|---|---|
| `primary`, `secondary` | `{"used_percent": 31, "window_seconds": 18000, "resets_in_seconds": 7200}`, or null for no such window |
| `limit_reached` | requests of every model get the 429 of a used up plan |
| `additional` | further limits: `{"limit_name", "metered_feature", "primary", "secondary", "limit_reached", "model"}`; the last is whose requests it refuses |
| `credits` | that object of the usage endpoint |
| `account` | fields of the account endpoints: `name`, `email`, `plan`, `expires_at` and so on |
| `fail` | statuses by endpoint: `{"usage": 503, "account": 403, "accounts": 500}` |
| `served_model` | which model answers, whatever is asked for; "" for the one asked for |
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codexia.simulator.faults import UsageLimit
from codexia.simulator.tokens import PLAN_TYPE

CREDITS = {
    "has_credits": False,
    "unlimited": False,
    "overage_limit_reached": False,
    "balance": "0",
    "approx_local_messages": None,
    "approx_cloud_messages": None,
}


class BadPlan(ValueError):
    """A plan cannot be like that."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanWindow(_Part):
    """One window; it resets so many seconds after it was set."""

    used_percent: float
    window_seconds: int
    resets_in_seconds: int
    set_at: float = Field(default_factory=time.time)

    @property
    def reset_at(self) -> int:
        """When it begins anew, unix seconds."""
        return int(self.set_at) + self.resets_in_seconds

    def of_usage(self) -> dict[str, Any]:
        """Return the window as the usage endpoint has it."""
        return {
            "used_percent": self.used_percent,
            "limit_window_seconds": self.window_seconds,
            "reset_after_seconds": max(0, self.reset_at - int(time.time())),
            "reset_at": self.reset_at,
        }

    def of_headers(self, family: str, slot: str) -> dict[str, str]:
        """Return the window as headers have it."""
        return {
            f"x-{family}-{slot}-used-percent": f"{self.used_percent:g}",
            f"x-{family}-{slot}-window-minutes": str(self.window_seconds // 60),
            f"x-{family}-{slot}-reset-after-seconds": str(max(0, self.reset_at - int(time.time()))),
            f"x-{family}-{slot}-reset-at": str(self.reset_at),
        }


class PlanLimit(_Part):
    """A limit: its windows, and whether they are used up."""

    primary: PlanWindow | None = None
    secondary: PlanWindow | None = None
    limit_reached: bool = False

    @property
    def resets_at(self) -> int:
        """When its used up windows begin anew, unix seconds."""
        windows = [window for window in (self.primary, self.secondary) if window]
        used_up = [window.reset_at for window in windows if window.used_percent >= 100]
        return max(used_up or [window.reset_at for window in windows], default=int(time.time()))

    def of_usage(self) -> dict[str, Any]:
        """Return the limit as the usage endpoint has it."""
        return {
            "allowed": not self.limit_reached,
            "limit_reached": self.limit_reached,
            "primary_window": self.primary.of_usage() if self.primary else None,
            "secondary_window": self.secondary.of_usage() if self.secondary else None,
        }

    def of_headers(self, family: str) -> dict[str, str]:
        """Return the limit as headers have it."""
        headers: dict[str, str] = {}
        for slot, window in (("primary", self.primary), ("secondary", self.secondary)):
            headers |= window.of_headers(family, slot) if window else {}
        return headers


class AdditionalLimit(PlanLimit):
    """A limit beside the plan's own."""

    limit_name: str
    metered_feature: str
    model: str = ""

    @property
    def family(self) -> str:
        """Its id in header names."""
        return self.metered_feature.replace("_", "-")


class Plan(PlanLimit):
    """All that the backend knows of the account's plan."""

    primary: PlanWindow | None = Field(
        default_factory=lambda: PlanWindow(
            used_percent=31, window_seconds=18_000, resets_in_seconds=7200
        )
    )
    secondary: PlanWindow | None = Field(
        default_factory=lambda: PlanWindow(
            used_percent=12, window_seconds=604_800, resets_in_seconds=316_705
        )
    )
    additional: tuple[AdditionalLimit, ...] = ()
    credits: dict[str, Any] = Field(default_factory=lambda: dict(CREDITS))
    account: dict[str, Any] = {}
    fail: dict[str, Annotated[int, Field(ge=400, le=599)]] = {}
    served_model: str = ""

    def changed(self, changes: dict[str, Any]) -> Plan:
        """Return the plan with some fields replaced.

        Raises:
            BadPlan: there are no such fields or values.
        """
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        try:
            return Plan.model_validate({**kept, **changes})
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"]))
            raise BadPlan(f"bad plan: {where}: {problem['msg']}") from error

    def refusal(self, model: str) -> tuple[UsageLimit, dict[str, str]] | None:
        """Return how a request of a model is refused, with the headers; None if it is not."""
        own = next((each for each in self.additional if each.model == model), None)
        limit = own or self
        if not limit.limit_reached:
            return None
        active = own.family if own else "premium"
        left_s = max(0, limit.resets_at - int(time.time()))
        fault = UsageLimit(kind="429", resets_in_seconds=left_s, plan_type=PLAN_TYPE)
        return fault, self.all_headers() | {"x-codex-active-limit": active}

    def all_headers(self) -> dict[str, str]:
        """Return what every reply says of the plan."""
        headers = {
            "x-codex-active-limit": "premium",
            "x-codex-plan-type": PLAN_TYPE,
            "x-codex-primary-over-secondary-limit-percent": "0",
            **self.of_headers("codex"),
            "x-codex-credits-has-credits": str(bool(self.credits.get("has_credits"))),
            "x-codex-credits-balance": str(self.credits.get("balance") or ""),
            "x-codex-credits-unlimited": str(bool(self.credits.get("unlimited"))),
        }
        for limit in self.additional:
            headers |= limit.of_headers(limit.family)
            headers[f"x-{limit.family}-limit-name"] = limit.limit_name
        return headers
