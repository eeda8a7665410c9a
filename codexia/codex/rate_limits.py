"""The account's limits as the backend tells them, in three forms that mean the same.

- the usage endpoint, whole: `RateLimits.of_usage`
- `x-codex-*` headers of a reply, of the plan's own limit and of further ones: `of_headers`
- `codex.rate_limits` events: `of_event`

A limit has windows, each with a length and a share that is used. A window is known by its
length: which of them is `primary` differs from plan to plan. Numbers can come as text; what is
empty, or has no length, is no window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from codexia.codex.payload import amount_at, child_at, children_at, number_of, text_at
from codexia.codex.upstream import (
    ACTIVE_LIMIT_HEADER,
    CREDITS_HEADER,
    LIMIT_NAME_HEADER,
    PLAN_HEADER,
    WINDOW_HEADER,
    limit_of_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codexia.codex.payload import Json

PLAN_LIMIT: Final = "codex"
"""Id of the plan's own limit; further ones are for single models or features."""

SLOTS: Final = ("primary", "secondary")

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
NAMED_LENGTHS: Final = {5 * HOUR_S: "5h", DAY_S: "daily", 7 * DAY_S: "weekly"}
MONTH_S: Final = range(28 * DAY_S, 31 * DAY_S + 1)
SLACK_S: Final = 180
"""Windows come a minute or two short, such as 299 minutes."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a limit.

    Attributes:
        used_percent: 100 and more when nothing is left.
        length_s: how long it is.
        reset_at: when it begins anew, unix seconds; None where that is not known.
    """

    used_percent: float
    length_s: int
    reset_at: int | None

    @property
    def name(self) -> str:
        """`5h`, `daily`, `weekly`, `monthly`, else the length, e.g. `90m`."""
        return window_name(self.length_s)

    @property
    def remaining_percent(self) -> float:
        """What is left of it."""
        return max(0.0, 100.0 - self.used_percent)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit with its windows, the shortest first.

    Attributes:
        id: `codex` for the plan's own.
        name: how the backend calls a further limit, "" for the plan's own.
        reached: whether requests are refused by it; None where the backend did not say.
    """

    id: str
    name: str
    windows: tuple[Window, ...]
    reached: bool | None = None

    @property
    def resets_at(self) -> int | None:
        """When the last of its used up windows begins anew, unix seconds."""
        ends = (each.reset_at for each in self.windows if each.used_percent >= 100)
        return max((end for end in ends if end is not None), default=None)

    def updated(self, newer: Limit) -> Limit:
        """Return the limit with the newer one's windows in place of those of their lengths."""
        names = {window.name for window in newer.windows}
        kept = (window for window in self.windows if window.name not in names)
        reached = self.reached if newer.reached is None else newer.reached
        name = newer.name or self.name
        return Limit(self.id, name, _sorted([*kept, *newer.windows]), reached)


@dataclass(frozen=True, slots=True)
class Credits:
    """Credits beside the plan. The balance is None where it is not told."""

    has_credits: bool
    unlimited: bool
    balance: float | None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """All limits of an account, the plan's own first.

    Attributes:
        plan: the plan's name, "" where it is not told.
        active: id of the limit that a reply was metered by, "" where it is not told.
    """

    limits: tuple[Limit, ...] = ()
    credits: Credits | None = None
    plan: str = ""
    active: str = ""

    def limit(self, identity: str) -> Limit | None:
        """Return the limit of that id, None where there is none."""
        return next((limit for limit in self.limits if limit.id == identity), None)

    def updated(self, newer: RateLimits) -> RateLimits:
        """Return these limits with what a newer, maybe partial account of them says."""
        known = {limit.id: limit for limit in self.limits}
        for limit in newer.limits:
            known[limit.id] = known[limit.id].updated(limit) if limit.id in known else limit
        return RateLimits(
            tuple(known.values()), newer.credits or self.credits, newer.plan or self.plan
        )

    @classmethod
    def of_usage(cls, usage: Json, now: float) -> RateLimits:
        """Return what the usage endpoint answered at the time `now`."""
        further = (
            _limit(
                limit_id(text_at(each, "metered_feature") or text_at(each, "limit_name")),
                text_at(each, "limit_name"),
                child_at(each, "rate_limit"),
                now,
            )
            for each in children_at(usage, "additional_rate_limits")
        )
        plan_limit = _limit(PLAN_LIMIT, "", child_at(usage, "rate_limit"), now)
        return cls(
            _told([plan_limit, *further]), _credits(child_at(usage, "credits")), _plan(usage)
        )

    @classmethod
    def of_event(cls, event: Json, now: float) -> RateLimits:
        """Return what a `codex.rate_limits` event says that came at the time `now`."""
        name = text_at(event, "limit_name")
        metered_id = limit_id(text_at(event, "metered_limit_name") or name) or PLAN_LIMIT
        metered = _limit(metered_id, name, child_at(event, "rate_limits"), now)
        rest = cls.of_usage({**event, "rate_limit": None}, now)
        return replace(rest, limits=_told([metered, *rest.limits]))

    @classmethod
    def of_headers(cls, headers: Mapping[str, str], now: float) -> RateLimits:
        """Return what the headers of a reply say that came at the time `now`.

        Args:
            headers: with lower-case names; others than those of limits do not matter.
            now: unix seconds.
        """
        found = (limit_of_header(name) for name in headers)
        ids = dict.fromkeys(each for each in found if each)
        limits = (
            Limit(
                each,
                headers.get(LIMIT_NAME_HEADER.format(limit=each), "") if each != PLAN_LIMIT else "",
                _sorted(_window_of_headers(headers, each, slot, now) for slot in SLOTS),
            )
            for each in ids
        )
        told = {
            key: headers.get(CREDITS_HEADER.format(field=key), "")
            for key in ("has-credits", "unlimited", "balance")
        }
        account = _credits({key.replace("-", "_"): value for key, value in told.items() if value})
        active = limit_id(headers.get(ACTIVE_LIMIT_HEADER, ""))
        return cls(_told(limits), account, headers.get(PLAN_HEADER, ""), active)


def limit_id(name: str) -> str:
    """Return the form that an id has in header names, wherever it was found."""
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def window_name(length_s: int) -> str:
    """Return what people call a window of that length."""
    for named_s, name in NAMED_LENGTHS.items():
        if abs(length_s - named_s) <= SLACK_S:
            return name
    if length_s + SLACK_S in MONTH_S or length_s in MONTH_S:
        return "monthly"
    for unit_s, unit in ((DAY_S, "d"), (HOUR_S, "h")):
        if length_s >= unit_s and length_s % unit_s == 0:
            return f"{length_s // unit_s}{unit}"
    return f"{max(1, round(length_s / 60))}m"


def _limit(identity: str, name: str, told: Json, now: float) -> Limit:
    windows = (
        _window(child_at(told, key), now)
        for slot in SLOTS
        for key in (f"{slot}_window", slot)  # the endpoint's key, the event's
    )
    allowed, reached = told.get("allowed"), told.get("limit_reached")
    # Credits let requests through although the windows are used up, and `allowed` says so.
    refused = not allowed if isinstance(allowed, bool) else reached
    return Limit(
        identity,
        "" if identity == PLAN_LIMIT else name or identity,
        _sorted(windows),
        refused if isinstance(refused, bool) else None,
    )


def _window(told: Json, now: float) -> Window | None:
    minutes = amount_at(told, "window_minutes")
    length_s = amount_at(told, "limit_window_seconds") or (minutes or 0) * 60
    used = amount_at(told, "used_percent")
    remaining = amount_at(told, "remaining_percent")
    if used is None and remaining is not None:
        used = 100 - remaining
    left_s = amount_at(told, "reset_after_seconds")
    if left_s is None:
        left_s = amount_at(told, "resets_in_seconds")
    return _checked(used, length_s, _moment(told.get("reset_at")), left_s, now)


def _window_of_headers(
    headers: Mapping[str, str], identity: str, slot: str, now: float
) -> Window | None:
    def amount(field: str) -> float | None:
        return number_of(headers.get(WINDOW_HEADER.format(limit=identity, slot=slot, field=field)))

    length_s = (amount("window-minutes") or 0) * 60
    left_s = amount("reset-after-seconds")
    return _checked(amount("used-percent"), length_s, amount("reset-at"), left_s, now)


def _checked(
    used: float | None,
    length_s: float,
    reset_at: float | None,
    left_s: float | None,
    now: float,
) -> Window | None:
    if used is None or length_s <= 0:
        return None
    if not reset_at and left_s is not None:
        reset_at = now + left_s
    return Window(used, int(length_s), int(reset_at) if reset_at else None)


def _moment(value: object) -> float | None:
    """Return a time in unix seconds, of a number, a number as text, or a date."""
    number = number_of(value)
    if number is not None or not isinstance(value, str):
        return number
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None


def _credits(told: Json) -> Credits | None:
    if not told:
        return None
    return Credits(
        _flag(told.get("has_credits")), _flag(told.get("unlimited")), amount_at(told, "balance")
    )


def _flag(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _plan(told: Json) -> str:
    return text_at(told, "plan_type")


def _told(limits: Iterable[Limit]) -> tuple[Limit, ...]:
    """Return the limits that say anything."""
    return tuple(each for each in limits if each.windows or each.reached is not None)


def _sorted(windows: Iterable[Window | None]) -> tuple[Window, ...]:
    found = (window for window in windows if window is not None)
    return tuple(sorted(found, key=lambda window: window.length_s))
