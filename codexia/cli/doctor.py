"""`codexia doctor`: what is wrong here, and what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import typer

from codexia.cli.options import AsJson
from codexia.cli.paragraph import lines_of

if TYPE_CHECKING:
    from codexia.doctor.finding import Finding

MARKS: Final = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "broken": ("✗", "red")}
INDENT: Final = " " * 16


def doctor(*, as_json: AsJson = False) -> None:
    """Check login, network, gateway and host, and say what to do.

    It changes nothing and takes a few seconds. The exit code is 1 if something is broken.
    """
    import asyncio

    from codexia.doctor.examination import examine
    from codexia.paths import Home

    findings = asyncio.run(examine(Home.from_environment()))
    if as_json:
        typer.echo(_to_json(findings))
    else:
        for finding in findings:
            _show(finding)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    mark, colour = MARKS[finding.state]
    first, *others = _lines(finding.found)
    typer.echo(f"{typer.style(mark, fg=colour)} {finding.name:<14}{first}")
    for line in others:
        typer.echo(f"{INDENT}{line}")
    for line in _lines(finding.advice):
        typer.echo(f"{INDENT}{typer.style(line, bold=True)}")


def _lines(text: str) -> list[str]:
    """Return a text in lines that fit beside the names; in a pipe it stays one."""
    if not sys.stdout.isatty():
        return [text] if text else []
    return lines_of(text, len(INDENT))


def _to_json(findings: list[Finding]) -> bytes:
    from dataclasses import asdict

    import orjson

    states = [finding.state for finding in findings]
    state = max(states, key=list(MARKS).index, default="ok")
    report = {"state": state, "findings": [asdict(finding) for finding in findings]}
    return orjson.dumps(report, option=orjson.OPT_INDENT_2)
