"""The messages about the account: what it has left, and what the gateway did with it.

`AccountStatus` is the body of `GET /v1/status`, the answer of the control call `GET /account`
and what `codexia status --json` prints. `Observed` is what workers tell in between.

Times: `..._at` in unix seconds, `..._at_local` the same in this host's time, None where the
time is not known.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from codexia.control import GenerationStatus  # noqa: TC001 - pydantic resolves it at run time
from codexia.metrics import Series  # noqa: TC001 - likewise


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TokenStatus(_Message):
    """The access token. It is refreshed by itself while a gateway runs."""

    expires_at: int
    remaining_seconds: int
    expires_at_local: str | None


class AccountFacts(_Message):
    """Whose login it is; None where the backend did not say.

    Attributes:
        subscription_expires_at: as the backend writes it.
    """

    name: str | None = None
    email: str | None = None
    structure: str | None = None
    plan: str | None = None
    has_active_subscription: bool | None = None
    subscription_expires_at: str | None = None
    subscription_expires_at_local: str | None = None
    subscription_remaining_seconds: int | None = None


class WindowStatus(_Message):
    """One window of one limit.

    Attributes:
        name: by the window's length (`5h`, `weekly`); of a further limit with its name before.
        reset_at: unix seconds, as text.
        window_seconds: the window's length.
    """

    name: str
    remaining_percent: float
    reset_at: str | None
    reset_at_local: str | None
    reset_in_seconds: int | None
    window_seconds: int


class CreditsStatus(_Message):
    """Credits beside the plan's windows."""

    has_credits: bool
    unlimited: bool
    balance: int | float | None


class LimitStatus(_Message):
    """A limit that requests are refused for right now, without asking the backend.

    Attributes:
        model: whose requests; None for those of every model.
        believed_until: then a request goes to the backend again, unless the limit is seen anew.
    """

    model: str | None
    message: str
    resets_at: int | None
    resets_at_local: str | None
    resets_in_seconds: int | None
    believed_until: float


class ServedModel(_Message):
    """The backend answered with another model than was asked for."""

    asked: str
    served: str
    count: int
    last_at: float
    last_at_local: str | None = None


class FleetStatus(_Message):
    """What all workers did together.

    Attributes:
        requests: by dialect.
        streams_open: answers of the backend under way.
        input_tokens: with the cached ones.
    """

    since: float
    since_local: str | None
    requests: dict[str, int]
    streams_open: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int


class GatewayStatus(_Message):
    """The running gateway.

    Attributes:
        workers: that serve or begin to.
        problems: what is wrong right now, each with the next step.
        warnings: what of config.json has no effect, and why.
    """

    version: str
    pid: int
    started_at: float
    uptime_seconds: int
    bind: str
    revision: int
    workers: int
    generations: tuple[GenerationStatus, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class AccountStatus(_Message):
    """Login, account, quota and gateway.

    Attributes:
        account_id: None when nobody is logged in.
        warnings: what could not be found out, and what to do.
        logged_in: whether requests can be served.
        login_hint: why not, and what to do.
        limit: None while requests go to the backend.
        fleet: None without a running gateway, as `gateway`.
    """

    account_id: str | None
    token: TokenStatus | None
    account: AccountFacts | None
    credits_balance: int | float | None
    rate_limits: tuple[WindowStatus, ...]
    warnings: tuple[str, ...]
    logged_in: bool
    login_hint: str = ""
    credits: CreditsStatus | None = None
    limit: LimitStatus | None = None
    served_models: tuple[ServedModel, ...] = ()
    fleet: FleetStatus | None = None
    gateway: GatewayStatus | None = None


class PlanRefusal(_Message):
    """The backend refused a request because the plan is used up.

    Attributes:
        at: when.
        limit_id: which limit it says that is, "" where it does not.
    """

    model: str
    at: float
    message: str
    plan: str = ""
    resets_at: int | None = None
    limit_id: str = ""


class Observed(_Message):
    """What one worker saw. Counts are since its start, so that a lost report loses nothing.

    Attributes:
        worker: random, one worker's for its life.
        waiting: requests whose turn has not come.
        series: what is counted for the metrics.
        headers: of the last reply of the backend, those that tell of limits.
        event: the last `codex.rate_limits` event.
        seen_at: when these two came; 0.0 for none.
        overloaded_at: when the newest request began that the backend was too busy for; 0.0 for none.
    """

    worker: str
    since: float
    requests: dict[str, int] = {}
    streams_open: int = 0
    waiting: int = 0
    series: tuple[Series, ...] = ()
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    served_models: tuple[ServedModel, ...] = ()
    refusals: tuple[PlanRefusal, ...] = ()
    headers: dict[str, str] = {}
    event: dict[str, Any] = Field(default={})
    seen_at: float = 0.0
    overloaded_at: float = 0.0
