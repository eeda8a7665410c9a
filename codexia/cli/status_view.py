"""The status for a terminal: bars for the windows, colours where they are wanted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from codexia.cli.status_lines import (
    NOT_RUNNING,
    gateway_text,
    limit_text,
    one_line,
    plan_text,
    requests_text,
    served_text,
    subscription_text,
    token_text,
    tokens_text,
    troubles,
    workers_lines,
)
from codexia.local_time import from_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from codexia.account import AccountStatus, WindowStatus

BAR_CELLS = 20
NARROW_COLUMNS = 80
PLENTY_PERCENT = 40
LITTLE_PERCENT = 15
STYLES = {"problem": "bold red", "warning": "yellow"}


def show(report: AccountStatus) -> None:
    """Print the status."""
    console = Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
    console.print()
    for title, rows in (
        ("Gateway", _gateway(report)),
        ("Account", _account(report)),
        ("Limits", _limits(report, console)),
        ("Traffic", _traffic(report)),
    ):
        _print_section(console, title, list(rows))
    for kind, texts in troubles(report):
        for text in texts:
            line = Text.assemble((f"{kind}: ", STYLES[kind]), one_line(text))
            console.print(Padding.indent(line, 2))


def _print_section(console: Console, title: str, rows: list[tuple[str, RenderableType]]) -> None:
    if not rows:
        return
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(min_width=10, no_wrap=True)
    table.add_column(overflow="fold")
    for label, content in rows:
        table.add_row(Text(f"  {one_line(label)}", style="dim"), content)
    console.print(Text(title, style="bold"))
    console.print(table)
    console.print()


def _gateway(report: AccountStatus) -> Iterator[tuple[str, RenderableType]]:
    gateway = report.gateway
    if gateway is None:
        yield "address", Text(NOT_RUNNING, style="yellow")
        return
    yield "address", Text(f"http://{gateway.bind}", style="cyan")
    yield "process", Text(gateway_text(gateway))
    for label, text in workers_lines(gateway):
        yield label, Text(text)


def _account(report: AccountStatus) -> Iterator[tuple[str, RenderableType]]:
    if not report.logged_in:
        yield "login", Text(one_line(report.login_hint), style="bold red")
    elif report.token:
        yield "login", Text(f"token {token_text(report.token)}")
    account = report.account
    if account:
        names = " · ".join(filter(None, (account.email, account.name, account.structure)))
        if names:
            yield "account", Text(one_line(names))
        if account.plan:
            yield "plan", Text(one_line(plan_text(account)))
        if account.subscription_expires_at:
            yield "paid until", Text(one_line(subscription_text(account)))
    if report.account_id:
        yield "id", Text(one_line(report.account_id), style="dim")


def _limits(report: AccountStatus, console: Console) -> Iterator[tuple[str, RenderableType]]:
    for window in report.rate_limits:
        yield window.name, _bar(window, console)
    if not report.rate_limits and report.logged_in:
        yield "windows", Text("unavailable", style="yellow")
    if report.credits_balance is not None:
        yield "credits", Text(str(report.credits_balance))
    if report.limit:
        yield "limit", Text(one_line(limit_text(report.limit)), style="bold red")


def _traffic(report: AccountStatus) -> Iterator[tuple[str, RenderableType]]:
    if report.fleet:
        yield "requests", Text(requests_text(report.fleet))
        yield "tokens", Text(tokens_text(report.fleet))
    for notice in report.served_models:
        yield "served", Text(one_line(served_text(notice)), style="yellow")


def _bar(window: WindowStatus, console: Console) -> Text:
    left = min(max(window.remaining_percent, 0.0), 100.0)
    cells = BAR_CELLS // 2 if console.width < NARROW_COLUMNS else BAR_CELLS
    full = round(cells * left / 100)
    ink, paper = ("█", "░") if console.encoding.startswith("utf") else ("#", "-")
    style = "green" if left >= PLENTY_PERCENT else "yellow" if left >= LITTLE_PERCENT else "red"
    return Text.assemble(
        (ink * full, style),
        (paper * (cells - full), "dim"),
        (f" {window.remaining_percent:3.0f}% left", style),
        f"  {_reset(window)}",
    )


def _reset(window: WindowStatus) -> str:
    if window.reset_in_seconds is None:
        return ""
    day_and_time = (window.reset_at_local or "")[5:16]
    return f"resets {from_now(window.reset_in_seconds)} ({day_and_time})"
