"""`codexia update`: the newest version in place of this one, and the daemon on it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

Version = Annotated[
    str | None,
    typer.Option("--version", metavar="V", help="This version; by default the newest."),
]
Check = Annotated[bool, typer.Option("--check", help="Only tell whether there is a newer one.")]
Restart = Annotated[
    bool | None,
    typer.Option(
        "--restart/--no-restart",
        show_default=False,
        help="Restart the daemon without a question, or do not. [default: ask on a terminal]",
    ),
]


def update(*, version: Version = None, check: Check = False, restart: Restart = None) -> None:
    """Install the newest version, by what installed this one.

    That is uv, pipx or pip. A restart of the daemon cuts no stream. If the update fails, this
    version stays.
    """
    import shlex

    from codexia.installation import DISTRIBUTION, find_installation
    from codexia.updating import install_version, newest_version, own_command

    # All that is imported later comes from the new version.
    daemon_runs = _daemon_runs()
    installation = find_installation()
    if check:
        newest = newest_version(installation)
        if newest == installation.version:
            typer.echo(f"{DISTRIBUTION} {newest} is the newest")
        else:
            typer.echo(f"{newest} is on offer, {installation.version} is installed: codexia update")
        return
    typer.echo(f"installed by {installation.installer}; running:")
    typer.echo(f"  {shlex.join(installation.command(version))}")
    installed = install_version(installation, version)
    if installed == installation.version:
        typer.echo(f"codexia {installed} was installed already")
        return
    typer.echo(f"updated codexia {installation.version} -> {installed}")
    _offer_restart(own_command(), restart, daemon_runs=daemon_runs)


def _daemon_runs() -> bool:
    from codexia.daemon.error import DaemonError
    from codexia.daemon.platforms import service_manager

    try:
        return service_manager().state().pid is not None
    except DaemonError:
        return False


def _offer_restart(codexia: tuple[str, ...], wanted: bool | None, *, daemon_runs: bool) -> None:
    import subprocess

    if not daemon_runs:
        typer.echo("a `codexia serve` that runs goes on with the old version until its next start")
        return
    if wanted is None and sys.stdin.isatty():
        wanted = typer.confirm("Restart the daemon now? No stream is cut", default=True)
    if not wanted:
        typer.echo("the daemon goes on with the old version: codexia daemon restart")
        return
    sys.stdout.flush()
    # By the new version: this process has the old one in memory and the new one on disk.
    raise typer.Exit(
        subprocess.run([*codexia, "daemon", "restart"], check=False).returncode  # noqa: S603 - ours
    )
