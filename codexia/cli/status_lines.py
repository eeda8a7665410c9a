"""The status as `key: value` lines, for pipes, and the words that both its views share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia.local_time import duration, from_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.account import (
        AccountFacts,
        AccountStatus,
        FleetStatus,
        GatewayStatus,
        LimitStatus,
        ServedModel,
        TokenStatus,
        WindowStatus,
    )

NOT_RUNNING = "not running; start it with `codexia serve`"


def lines(report: AccountStatus) -> Iterator[tuple[str, str]]:
    """Yield what is known, key by key; nothing about what is not."""
    for key, text in _lines(report):
        yield key, one_line(text)


def _lines(report: AccountStatus) -> Iterator[tuple[str, str]]:
    yield from _gateway_lines(report.gateway)
    yield from _login_lines(report)
    yield from _limit_lines(report)
    if report.fleet:
        yield "requests", requests_text(report.fleet)
        yield "tokens", tokens_text(report.fleet)
    for kind, texts in troubles(report):
        for text in texts:
            yield kind, text


def troubles(report: AccountStatus) -> Iterator[tuple[str, list[str]]]:
    """Yield what is wrong, and what may be, where that is not said as the login's hint already."""
    gateway = report.gateway
    problems = gateway.problems if gateway else ()
    warnings = (*report.warnings, *(gateway.warnings if gateway else ()))
    for kind, texts in (("problem", problems), ("warning", warnings)):
        yield kind, [text for text in texts if text != report.login_hint]


def _login_lines(report: AccountStatus) -> Iterator[tuple[str, str]]:
    if report.account_id:
        yield "account_id", report.account_id
    if not report.logged_in:
        yield "login", report.login_hint
    if report.token:
        yield "token", token_text(report.token)
    if report.account:
        yield from _account_lines(report.account)


def _limit_lines(report: AccountStatus) -> Iterator[tuple[str, str]]:
    if report.credits_balance is not None:
        yield "credits_balance", str(report.credits_balance)
    for window in report.rate_limits:
        yield f"rate_limit_{window.name.replace(' ', '_')}", window_text(window)
    if not report.rate_limits and report.logged_in:
        yield "rate_limits", "unavailable"
    if report.limit:
        yield "limit", limit_text(report.limit)
    for notice in report.served_models:
        yield "served_model", served_text(notice)


def _gateway_lines(gateway: GatewayStatus | None) -> Iterator[tuple[str, str]]:
    if gateway is None:
        yield "gateway", NOT_RUNNING
        return
    yield "gateway", f"http://{gateway.bind} ({gateway_text(gateway)})"
    yield from workers_lines(gateway)


def workers_lines(gateway: GatewayStatus) -> Iterator[tuple[str, str]]:
    """Yield a line for each generation of workers."""
    for each in gateway.generations:
        yield (
            "workers",
            f"{each.workers} {each.state} (generation {each.generation}, pid {each.pid})",
        )


def _account_lines(account: AccountFacts) -> Iterator[tuple[str, str]]:
    if account.email:
        yield "email", account.email
    if account.plan:
        yield "plan", plan_text(account)
    if account.structure:
        yield "account_structure", account.structure
    if account.name:
        yield "account_name", account.name
    if account.subscription_expires_at:
        yield "subscription_expires_at", subscription_text(account)


def gateway_text(gateway: GatewayStatus) -> str:
    """Return which program it is and how long it has run."""
    return f"codexia {gateway.version}, pid {gateway.pid}, up {duration(gateway.uptime_seconds)}"


def token_text(token: TokenStatus) -> str:
    """Return when the access token expires."""
    return f"expires {token.expires_at_local} ({from_now(token.remaining_seconds)})"


def plan_text(account: AccountFacts) -> str:
    """Return the plan, and whether it is paid for, where that is known."""
    if account.has_active_subscription is None:
        return account.plan or ""
    return f"{account.plan} (active: {str(account.has_active_subscription).lower()})"


def subscription_text(account: AccountFacts) -> str:
    """Return when the subscription ends."""
    left_s = account.subscription_remaining_seconds
    if left_s is None:
        return account.subscription_expires_at or ""
    return f"{account.subscription_expires_at_local} ({from_now(left_s)})"


def window_text(window: WindowStatus) -> str:
    """Return what is left of a window, and when it begins anew."""
    return ", ".join(
        [f"{window.remaining_percent:g}% remaining", *filter(None, [reset_text(window)])]
    )


def reset_text(window: WindowStatus) -> str:
    """Return when a window begins anew, "" where that is not known."""
    if window.reset_in_seconds is None:
        return ""
    return f"resets {window.reset_at_local} ({from_now(window.reset_in_seconds)})"


def limit_text(limit: LimitStatus) -> str:
    """Return whose requests are refused, why, and until when."""
    end = ""
    if limit.resets_in_seconds is not None:
        end = f", until {limit.resets_at_local} ({from_now(limit.resets_in_seconds)})"
    return f"requests of {limit.model or 'every model'} are refused{end}: {limit.message}"


def served_text(notice: ServedModel) -> str:
    """Return which model stood in for which, and how often."""
    times = "once" if notice.count == 1 else f"{notice.count} times"
    return f"{notice.served} instead of {notice.asked}, {times}, last {notice.last_at_local}"


def requests_text(fleet: FleetStatus) -> str:
    """Return how many requests there were, of which dialects, and how many run."""
    kinds = ", ".join(f"{kind} {count}" for kind, count in fleet.requests.items())
    total = sum(fleet.requests.values())
    named = f" ({kinds})" if kinds else ""
    return f"{total:,}{named} since {fleet.since_local}, {fleet.streams_open} streams open"


def tokens_text(fleet: FleetStatus) -> str:
    """Return the token counts."""
    return (
        f"{fleet.input_tokens:,} in ({fleet.cached_tokens:,} cached), {fleet.output_tokens:,} out"
    )


def one_line(text: str) -> str:
    """Return the text without what would move a terminal's cursor: it may come from afar."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
