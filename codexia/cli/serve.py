"""`codexia serve`: the gateway, in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from codexia.cli.options import (
    ApiKey,
    AuthFile,
    Bind,
    LogFormat,
    ModelFallback,
    Verbose,
    Workers,
    flag_settings,
)


def serve(  # noqa: PLR0913 - one argument an option
    context: typer.Context,
    *,
    bind: Bind = None,
    workers: Workers = None,
    auth_file: AuthFile = None,
    api_key: ApiKey = None,
    model_fallback: ModelFallback = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Take over from the codexia that runs here; its streams go on."
        ),
    ] = False,
    log_format: LogFormat = None,
    verbose: Verbose = 0,
) -> None:
    """Serve the OpenAI- and Anthropic-compatible APIs until Ctrl-C.

    It starts without a login too and answers with what to do; a later `codexia login` needs
    no restart. Edits of config.json are live. Ctrl-C lets open streams finish for up to 30 s;
    a second Ctrl-C ends them.
    """
    from codexia.paths import Home
    from codexia_supervisor.serve import run

    flags = flag_settings(
        bind=bind,
        verbosity=verbose + context.obj,
        workers=workers,
        auth_file=auth_file,
        api_key=api_key,
        model_fallback=model_fallback,
        log_format=log_format,
    )
    raise typer.Exit(run(flags, Home.from_environment(), replace=replace))
