"""The status in the form that its readers know, to the letter."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from codexia.account_report import Known, account_status
from codexia.cli.status_lines import lines
from codexia.codex.account import Account
from codexia.codex.rate_limits import Credits, Limit, RateLimits, Window
from codexia.local_time import duration, from_now, local_time

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_777_288_606

EXAMPLE = {
    "account_id": "acc_123",
    "token": {
        "expires_at": 1778098507,
        "remaining_seconds": 809901,
        "expires_at_local": "2026-05-07 04:15:07 +08:00",
    },
    "account": {
        "name": "Personal",
        "email": "user@example.com",
        "structure": "personal",
        "plan": "chatgptpro",
        "has_active_subscription": True,
        "subscription_expires_at": "2026-05-11T15:16:00+00:00",
        "subscription_expires_at_local": "2026-05-11 23:16:00 +08:00",
        "subscription_remaining_seconds": 1223954,
    },
    "credits_balance": 0,
    "rate_limits": [
        {
            "name": "5h",
            "remaining_percent": 97.0,
            "reset_at": "1777297264",
            "reset_at_local": "2026-04-27 21:41:04 +08:00",
            "reset_in_seconds": 8658,
        },
        {
            "name": "weekly",
            "remaining_percent": 68.0,
            "reset_at": "1777400385",
            "reset_at_local": "2026-04-29 02:19:45 +08:00",
            "reset_in_seconds": 111779,
        },
    ],
    "warnings": [],
}


@pytest.fixture(autouse=True)
def east_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-8")
        time.tzset()
        yield
    time.tzset()


def example() -> Known:
    windows = (Window(3, 18_000, 1777297264), Window(32, 604_800, 1777400385))
    limits = RateLimits((Limit("codex", "", windows, reached=False),), Credits(False, False, 0.0))
    account = Account(
        "Personal",
        "user@example.com",
        "personal",
        "chatgptpro",
        has_active_subscription=True,
        subscription_expires_at="2026-05-11T15:16:00+00:00",
    )
    return Known("acc_123", 1778098507, "", account, limits)


def test_status_has_the_documented_form():
    report = account_status(example(), NOW).model_dump(mode="json")
    assert list(report)[: len(EXAMPLE)] == list(EXAMPLE), "in this order"
    for part in ("token", "account"):
        assert list(report[part]) == list(EXAMPLE[part])
    assert list(report["rate_limits"][0])[:5] == list(EXAMPLE["rate_limits"][0])
    shown = {key: report[key] for key in EXAMPLE}
    for window in shown["rate_limits"]:
        assert window.pop("window_seconds") in {18_000, 604_800}
    assert shown == EXAMPLE
    assert isinstance(report["credits_balance"], int)
    assert isinstance(report["rate_limits"][0]["remaining_percent"], float)


def test_status_as_lines():
    told = dict(lines(account_status(example(), NOW)))
    assert told == {
        "gateway": "not running; start it with `codexia serve`",
        "account_id": "acc_123",
        "token": "expires 2026-05-07 04:15:07 +08:00 (in 9d 08h)",
        "email": "user@example.com",
        "plan": "chatgptpro (active: true)",
        "account_structure": "personal",
        "account_name": "Personal",
        "subscription_expires_at": "2026-05-11 23:16:00 +08:00 (in 14d 03h)",
        "credits_balance": "0",
        "rate_limit_5h": "97% remaining, resets 2026-04-27 21:41:04 +08:00 (in 2h 24m)",
        "rate_limit_weekly": "68% remaining, resets 2026-04-29 02:19:45 +08:00 (in 1d 07h)",
    }


def test_status_without_a_login_has_every_key():
    report = account_status(Known(hint="log in", warnings=["log in"]), NOW).model_dump()
    assert set(EXAMPLE) <= set(report)
    assert (report["account_id"], report["token"], report["account"]) == (None, None, None)
    assert (report["rate_limits"], report["warnings"]) == ((), ("log in",))
    assert report["logged_in"] is False


def test_window_that_has_begun_anew_is_whole_again():
    limits = RateLimits((Limit("codex", "", (Window(100, 18_000, NOW - 1),)),))
    [window] = account_status(Known(limits=limits), NOW).rate_limits
    assert (window.remaining_percent, window.reset_in_seconds) == (100.0, 0)


def test_what_comes_from_afar_moves_no_cursor():
    account = Account(name="\x1b[2J\nevil")
    told = dict(lines(account_status(Known("a", 0, "", account), NOW)))
    assert told["account_name"] == " [2J evil"


def test_times_for_people():
    assert local_time(1777297264) == "2026-04-27 21:41:04 +08:00"
    assert (local_time(None), local_time(1e30)) == (None, None)
    assert [duration(each) for each in (-1, 59, 60, 3661, 90_000)] == [
        "0s",
        "59s",
        "1m 00s",
        "1h 01m",
        "1d 01h",
    ]
    assert (from_now(60), from_now(-60)) == ("in 1m 00s", "1m 00s ago")
