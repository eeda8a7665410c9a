"""The account's limits in the backend's three forms."""

from __future__ import annotations

import pytest

from codexia.codex.account import Account
from codexia.codex.rate_limits import Credits, Limit, RateLimits, Window, window_name
from codexia.codex.upstream import is_replacement, limit_headers

NOW = 1_777_288_606.0


def usage(**changes):
    window = {
        "used_percent": 3,
        "limit_window_seconds": 18_000,
        "reset_after_seconds": 8658,
        "reset_at": 1_777_297_264,
    }
    return {
        "plan_type": "pro",
        "rate_limit": {
            "allowed": True,
            "limit_reached": False,
            "primary_window": window,
            "secondary_window": None,
        },
        "additional_rate_limits": None,
        "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
        **changes,
    }


def windows(limits: RateLimits) -> list[tuple[str, float, int | None]]:
    return [
        (f"{limit.name} {window.name}".strip(), window.used_percent, window.reset_at)
        for limit in limits.limits
        for window in limit.windows
    ]


@pytest.mark.parametrize(
    ("length_s", "name"),
    [
        (18_000, "5h"),
        (17_940, "5h"),
        (604_800, "weekly"),
        (604_740, "weekly"),
        (86_400, "daily"),
        (30 * 86_400, "monthly"),
        (28 * 86_400, "monthly"),
        (31 * 86_400, "monthly"),
        (5400, "90m"),
        (7200, "2h"),
        (3 * 86_400, "3d"),
        (20, "1m"),
    ],
)
def test_windows_are_called_by_their_length(length_s: int, name: str):
    assert window_name(length_s) == name


def test_usage_endpoint():
    limits = RateLimits.of_usage(usage(), NOW)
    [limit] = limits.limits
    assert limit == Limit("codex", "", (Window(3, 18_000, 1_777_297_264),), reached=False)
    assert limits.credits == Credits(has_credits=False, unlimited=False, balance=0)
    assert limits.plan == "pro"


def test_free_plans_have_their_week_in_the_first_slot():
    weekly = {"used_percent": 40, "limit_window_seconds": 604_800, "reset_after_seconds": 60}
    told = usage(rate_limit={"primary_window": weekly, "secondary_window": None})
    assert windows(RateLimits.of_usage(told, NOW)) == [("weekly", 40, int(NOW) + 60)]


def test_further_limits_have_their_name_and_the_id_that_headers_use():
    further = {
        "limit_name": "GPT-5.3-Codex-Spark",
        "metered_feature": "codex_bengalfox",
        "rate_limit": {
            "allowed": False,
            "limit_reached": True,
            "primary_window": {"used_percent": 100, "limit_window_seconds": 18_000, "reset_at": 9},
        },
    }
    limits = RateLimits.of_usage(usage(additional_rate_limits=[further]), NOW)
    assert windows(limits)[1] == ("GPT-5.3-Codex-Spark 5h", 100, 9)
    told = limits.limit("codex-bengalfox")
    assert told
    assert (told.reached, told.resets_at) == (True, 9)
    headers = {
        "x-codex-bengalfox-primary-used-percent": "50",
        "x-codex-bengalfox-primary-window-minutes": "300",
        "x-codex-bengalfox-primary-reset-at": "10",
    }
    newer = limits.updated(RateLimits.of_headers(headers, NOW))
    assert windows(newer)[1] == ("GPT-5.3-Codex-Spark 5h", 50, 10)
    assert windows(newer)[0] == windows(limits)[0]


@pytest.mark.parametrize(
    ("told", "reached"),
    [
        ({"allowed": False, "limit_reached": True}, True),
        ({"allowed": False, "limit_reached": False}, True),
        ({"allowed": True, "limit_reached": True}, False),
        ({"limit_reached": True}, True),
        ({"limit_reached": "yes"}, None),
    ],
)
def test_a_limit_is_reached_when_requests_are_not_allowed(told: dict, reached: bool | None):
    window = {"used_percent": 100, "limit_window_seconds": 18_000}
    [limit] = RateLimits.of_usage(usage(rate_limit={**told, "primary_window": window}), NOW).limits
    assert limit.reached is reached


@pytest.mark.parametrize(
    "rate_limit",
    [
        None,
        "?",
        [],
        {"primary_window": {"used_percent": 0, "limit_window_seconds": 0}},
        {"primary_window": {"used_percent": "", "limit_window_seconds": "18000"}},
        {"primary_window": {"used_percent": "nan", "limit_window_seconds": 18_000}},
        {"primary_window": "?", "secondary_window": 3},
    ],
)
def test_what_is_no_window_is_none(rate_limit: object):
    assert RateLimits.of_usage(usage(rate_limit=rate_limit), NOW).limits == ()


def test_numbers_may_be_text_and_times_dates():
    window = {
        "used_percent": "12.5",
        "limit_window_seconds": "604800",
        "reset_at": "2026-04-27T13:41:04+00:00",
    }
    told = usage(rate_limit={"primary_window": window}, credits={"balance": "7.25"})
    limits = RateLimits.of_usage(told, NOW)
    assert windows(limits) == [("weekly", 12.5, 1_777_297_264)]
    assert limits.credits
    assert limits.credits.balance == 7.25


def test_headers_of_a_reply():
    headers = limit_headers(
        {
            "Content-Type": "text/event-stream",
            "X-Codex-Turn-State": "secret",
            "X-Codex-Active-Limit": "premium",
            "X-Codex-Plan-Type": "plus",
            "X-Codex-Primary-Used-Percent": "31",
            "X-Codex-Primary-Window-Minutes": "10080",
            "X-Codex-Primary-Reset-After-Seconds": "60",
            "X-Codex-Primary-Reset-At": "",
            "X-Codex-Secondary-Used-Percent": "0",
            "X-Codex-Secondary-Window-Minutes": "0",
            "X-Codex-Credits-Has-Credits": "True",
            "X-Codex-Credits-Unlimited": "False",
            "X-Codex-Credits-Balance": "",
        }
    )
    assert "x-codex-turn-state" not in headers
    limits = RateLimits.of_headers(headers, NOW)
    assert windows(limits) == [("weekly", 31, int(NOW) + 60)]
    assert limits.credits == Credits(has_credits=True, unlimited=False, balance=None)
    assert (limits.plan, limits.active) == ("plus", "premium")


def test_headers_without_limits_say_nothing():
    assert RateLimits.of_headers(limit_headers({"date": "today"}), NOW) == RateLimits()


def test_event_of_a_stream():
    event = {
        "type": "codex.rate_limits",
        "plan_type": "plus",
        "rate_limits": {
            "allowed": True,
            "limit_reached": False,
            "primary": {"used_percent": 31, "window_minutes": 300, "reset_at": 1_795_370_000},
            "secondary": {"used_percent": 12, "window_minutes": 10_080, "resets_in_seconds": 5},
        },
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
    }
    limits = RateLimits.of_event(event, NOW)
    assert windows(limits) == [("5h", 31, 1_795_370_000), ("weekly", 12, int(NOW) + 5)]
    metered = RateLimits.of_event(
        {**event, "metered_limit_name": "codex_bengalfox", "limit_name": "Spark"}, NOW
    )
    assert windows(metered)[0][0] == "Spark 5h"


def test_partial_news_leave_the_rest_as_it_was():
    known = RateLimits.of_usage(usage(), NOW)
    newer = known.updated(
        RateLimits.of_headers(
            {
                "x-codex-primary-used-percent": "12",
                "x-codex-primary-window-minutes": "10080",
            },
            NOW,
        )
    )
    assert windows(newer) == [("5h", 3, 1_777_297_264), ("weekly", 12, None)]
    assert newer.credits == known.credits


@pytest.mark.parametrize(
    ("served", "is_other"),
    [
        ("gpt-5.5", False),
        ("gpt-5.5-2026-04-01", False),
        ("", False),
        ("gpt-5.5-mini", True),
        ("gpt-5.6-luna", True),
    ],
)
def test_another_model_than_asked_for(served: str, is_other: bool):
    assert is_replacement("gpt-5.5", served) is is_other


def test_account_with_its_subscription():
    entry = {
        "account": {"name": "Personal", "structure": "personal", "plan_type": "pro"},
        "entitlement": {
            "subscription_plan": "chatgptpro",
            "has_active_subscription": True,
            "expires_at": "2026-05-11T15:16:00+00:00",
        },
    }
    other = {"account": {"name": "Other"}, "entitlement": {}}
    reply = {"accounts": {"acc_123": entry, "default": other}}
    mine = Account.of_check(reply, "acc_123")
    assert mine == Account(
        "Personal", None, "personal", "chatgptpro", True, "2026-05-11T15:16:00+00:00"
    )
    named = Account.of_check(reply, "acc_999")
    assert named
    assert named.name == "Other"
    assert Account.of_check({"accounts": []}, "acc_123") is None


def test_account_in_the_newer_list():
    reply = {
        "accounts": [{"id": "a", "name": None, "structure": "workspace", "plan_type": "team"}],
        "default_account_id": "a",
    }
    assert Account.of_list(reply, "a") == Account(structure="workspace", plan="team")
    assert Account.of_list(reply, "b") == Account(structure="workspace", plan="team")
    assert Account.of_list({"accounts": [None]}, "b") is None
