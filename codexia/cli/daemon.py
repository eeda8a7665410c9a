"""`codexia daemon`: the gateway as a background service of this user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codexia.cli.options import (
    ApiKey,
    AsJson,
    AuthFile,
    Bind,
    ModelFallback,
    Verbose,
    Workers,
    flag_settings,
)

if TYPE_CHECKING:
    from codexia.control import SupervisorStatus
    from codexia.daemon.installing import Installed
    from codexia.daemon.service import ServiceManager

NOT_RUNNING = 3
NOT_INSTALLED = 4

app = typer.Typer(
    name="daemon",
    help="Run the gateway in the background, from login on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Executable = Annotated[
    Path | None,
    typer.Option(
        "--executable",
        metavar="FILE",
        help="The codexia to run. [default: this one]",
    ),
]
Now = Annotated[bool, typer.Option("--now", help="Start it too.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as more comes.")]
Lines = Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, help="How many lines.")]


@app.command()
def install(  # noqa: PLR0913 - one argument an option
    context: typer.Context,
    *,
    bind: Bind = None,
    workers: Workers = None,
    auth_file: AuthFile = None,
    api_key: ApiKey = None,
    model_fallback: ModelFallback = None,
    executable: Executable = None,
    now: Now = False,
    verbose: Verbose = 0,
) -> None:
    """Install it, to start when you log in.

    Options are saved in config.json, where you can edit them at any time; so is a key in
    CODEXIA_API_KEY. Other CODEXIA_ variables, proxies and SSL_CERT_FILE go to the service file.
    Installing again changes what differs.
    """
    flags = flag_settings(
        bind=bind,
        verbosity=verbose + _verbosity(context),
        workers=workers,
        auth_file=auth_file,
        api_key=api_key,
        model_fallback=model_fallback,
    )
    manager = _manager()
    done = _install(manager, flags, executable)
    if now:
        _start(manager)
    elif done.changed and manager.state().pid:
        typer.echo("it runs as it was installed before: `codexia daemon restart` takes this over")
    else:
        typer.echo("next: `codexia daemon start`")
    for hint in manager.hints():
        typer.echo(f"note: {hint}")


@app.command()
def reinstall(  # noqa: PLR0913 - one argument an option
    context: typer.Context,
    *,
    bind: Bind = None,
    workers: Workers = None,
    auth_file: AuthFile = None,
    api_key: ApiKey = None,
    model_fallback: ModelFallback = None,
    executable: Executable = None,
    verbose: Verbose = 0,
) -> None:
    """Install it anew and restart it, if it runs.

    Options as for install. No stream is cut.
    """
    flags = flag_settings(
        bind=bind,
        verbosity=verbose + _verbosity(context),
        workers=workers,
        auth_file=auth_file,
        api_key=api_key,
        model_fallback=model_fallback,
    )
    manager = _manager()
    done = _install(manager, flags, executable)
    if manager.state().pid:
        _restart(manager, rewritten=done.changed)
    else:
        typer.echo("it does not run; next: `codexia daemon start`")


@app.command()
def start() -> None:
    """Start it."""
    _start(_checked_manager())


@app.command()
def stop() -> None:
    """Stop it until the next login, or until start.

    Open streams may finish for up to 30 s.
    """
    from codexia.daemon import lifecycle

    manager = _checked_manager()
    if lifecycle.stop(manager):
        typer.echo("stopped")
    elif manager.state().installed:
        typer.echo("it did not run")
    else:
        typer.echo("it is not installed")


@app.command()
def restart() -> None:
    """Have a new process take over; no stream is cut.

    Starts it if it does not run.
    """
    _restart(_checked_manager())


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Show the gateway, and the service as its manager sees it.

    The exit code is 0 if it serves, 3 if it does not, 4 if it is not installed.
    """
    from codexia.cli import daemon_status
    from codexia.daemon import lifecycle

    manager = _checked_manager()
    state = manager.state()
    home = lifecycle.home_of(manager)
    running = lifecycle.supervisor_of(home)
    account = lifecycle.account_of(home) if running else None
    if as_json:
        typer.echo(daemon_status.as_json(manager, state, running, account))
    else:
        for key, text in daemon_status.service_lines(manager, state, running, home):
            typer.echo(f"{key}: {text}")
        for key, text in daemon_status.gateway_lines(running, account):
            typer.echo(f"{key}: {text}")
    if not state.installed:
        raise typer.Exit(NOT_INSTALLED)
    if state.activity not in {"active", "reloading"}:
        raise typer.Exit(NOT_RUNNING)


@app.command()
def logs(*, follow: Follow = False, lines: Lines = 50) -> None:
    """Show what it logged last."""
    import os
    import shutil
    import sys

    from codexia.errors import CodexiaError

    command = _manager().log_command(lines, follow=follow)
    program = shutil.which(command[0])
    if program is None:
        raise CodexiaError(f"there is no {command[0]} here")
    sys.stdout.flush()
    os.execv(program, command)  # noqa: S606 - there is nothing left to do for us


@app.command()
def uninstall() -> None:
    """Stop it and remove the service; settings and login stay."""
    from codexia.daemon import lifecycle

    manager = _checked_manager()
    home = lifecycle.home_of(manager)
    if lifecycle.stop(manager):
        typer.echo("stopped")
    if manager.uninstall():
        typer.echo(f"removed {manager.file}; {home.root} is still there")
    else:
        typer.echo("it is not installed")


def _install(
    manager: ServiceManager, flags: dict[str, object], executable: Path | None
) -> Installed:
    import os

    from codexia.daemon.installing import install as apply
    from codexia.paths import Home

    home = Home.from_environment()
    done = apply(manager, home, flags, os.environ, executable)
    if done.saved:
        typer.echo(f"saved {', '.join(done.saved)} in {home.config_file}")
    typer.echo(f"{'installed' if done.changed else 'already installed:'} {manager.file}")
    if done.carried:
        typer.echo(f"it has {', '.join(done.carried)} as they are here now")
    for name in done.left_out:
        typer.echo(
            f"note: {name} holds a password and is left out; set it with "
            "`systemctl --user edit codexia.service` or in a proxy without a password",
            err=True,
        )
    return done


def _start(manager: ServiceManager) -> None:
    from codexia.daemon import lifecycle

    report, started = lifecycle.start(manager)
    _say_serving("started" if started else "it runs already", report)


def _restart(manager: ServiceManager, *, rewritten: bool = False) -> None:
    from codexia.daemon import lifecycle

    _say_serving("restarted", lifecycle.restart(manager, rewritten=rewritten))


def _say_serving(done: str, report: SupervisorStatus) -> None:
    typer.echo(f"{done}: codexia {report.version} (pid {report.pid}) on http://{report.bind}")
    if report.login_hint:
        typer.echo(f"note: {report.login_hint}")


def _manager() -> ServiceManager:
    from codexia.daemon.platforms import service_manager

    return service_manager()


def _checked_manager() -> ServiceManager:
    manager = _manager()
    manager.check()
    return manager


def _verbosity(context: typer.Context) -> int:
    """Return how often -v stands before `daemon`."""
    return context.find_root().obj or 0
