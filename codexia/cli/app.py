"""The command tree."""

from __future__ import annotations

from typing import Annotated

import typer

from codexia import __version__
from codexia.cli import (
    batches,
    completion,
    config,
    daemon,
    demo,
    doctor,
    login,
    logout,
    models,
    recordings,
    refresh,
    serve,
    simulate,
    status,
    update,
)

EPILOG = (
    "Start with `codexia demo`, or with `codexia login` and `codexia serve`. Files live in "
    "~/.codexia, or where CODEXIA_HOME says. Settings: flag > environment (CODEXIA_BIND_PORT and "
    "so on) > config.json > default. Unofficial: not affiliated with OpenAI or Anthropic; your use "
    "must comply with their terms."
)

app = typer.Typer(
    name="codexia",
    help="Local gateway from one Codex (ChatGPT) login to OpenAI- and Anthropic-compatible APIs.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Markup would swallow what stands in brackets, and importing rich takes longer than the rest.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("login")(login.login)
app.command("logout")(logout.logout)
app.command("refresh")(refresh.refresh)
app.command("status")(status.status)
app.add_typer(config.app, name="config")
app.add_typer(daemon.app)
app.command("update")(update.update)
app.add_typer(batches.app)
app.add_typer(recordings.app)
app.command("doctor")(doctor.doctor)
app.command("models")(models.models)
app.command("demo")(demo.demo)
app.command("simulate")(simulate.simulate)
app.command("completion")(completion.completion)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codexia {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Log one line a request; twice for details. Never logs bodies or secrets.",
        ),
    ] = 0,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    context.obj = verbose
