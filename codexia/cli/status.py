"""`codexia status`: whose login it is, what the plan has left, how the gateway does."""

from __future__ import annotations

import sys

import typer

from codexia.cli.options import AsJson


def status(*, as_json: AsJson = False) -> None:
    """Show login, plan limits and the running gateway.

    Works without a gateway too. The exit code is 0 if there is a usable login, else 1.
    """
    from codexia.status import status_of_home

    report = status_of_home()
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    elif sys.stdout.isatty():
        from codexia.cli.status_view import show

        show(report)
    else:
        from codexia.cli.status_lines import lines

        for key, text in lines(report):
            typer.echo(f"{key}: {text}")
    if not report.logged_in:
        raise typer.Exit(1)
