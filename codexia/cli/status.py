"""`codexia status`: is it running, is it logged in, what is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from codexia.cli.options import AsJson

if TYPE_CHECKING:
    from codexia.control import SupervisorStatus


def status(*, as_json: AsJson = False) -> None:
    """Show the running gateway: address, login, workers, problems.

    The exit code is 1 if none runs.
    """
    from codexia.control_client import ControlClient
    from codexia.paths import Home

    report = ControlClient(Home.from_environment().control_socket).status()
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
        return
    for label, text in _lines(report):
        typer.echo(f"{label:<10}{text}")


def _lines(report: SupervisorStatus) -> list[tuple[str, str]]:
    lines = [
        (
            "codexia",
            f"{report.version} (pid {report.pid}, up {_duration(time.time() - report.started_at)})",
        ),
        ("address", f"http://{report.bind}"),
        ("login", _login(report)),
    ]
    lines += [
        ("workers", f"{each.workers} {each.state} (generation {each.generation}, pid {each.pid})")
        for each in report.generations
    ]
    return lines + [("problem", problem) for problem in report.problems]


def _login(report: SupervisorStatus) -> str:
    if not report.logged_in:
        return report.login_hint
    if not report.token_expires_at:
        return "logged in"
    return f"logged in, token expires in {_duration(report.token_expires_at - time.time())}"


def _duration(seconds: float) -> str:
    """Return e.g. `1d 01h 01m 01s`, leading zero units left out; negative counts as 0."""
    minutes, rest_s = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h {minutes:02}m {rest_s:02}s"
    if hours:
        return f"{hours}h {minutes:02}m {rest_s:02}s"
    return f"{minutes}m {rest_s:02}s" if minutes else f"{rest_s}s"
