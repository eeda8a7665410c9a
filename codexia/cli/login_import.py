"""The login that is a copy of the Codex CLI's."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import typer

from codexia.cli.paragraph import paragraph
from codexia.errors import CodexiaError
from codexia.local_time import from_now, local_time
from codexia.oauth.codex_cli import default_codex_auth_file, read_codex_login
from codexia.oauth.lock import credentials_lock
from codexia.oauth.sign_in import store_login

if TYPE_CHECKING:
    from pathlib import Path

    from codexia.oauth.credentials import Credentials
    from codexia.oauth.sign_in import SignedIn

WARNING: Final = (
    "The Codex CLI's refresh token works once. From now on whoever uses it first, Codexia or the "
    "Codex CLI (its IDE extensions too), logs the other one out. `codexia login` without "
    "--from-codex makes a login of Codexia's own and leaves the Codex CLI alone; --read-only "
    "copies the access token only."
)


def copy_codex_login(
    source: Path | None, path: Path, *, read_only: bool, confirmed: bool
) -> SignedIn:
    """Return the Codex CLI's login, saved at `path` too.

    Args:
        source: its auth.json, or the directory of it; None for where it usually is.
        path: of our auth.json.
        read_only: whether to leave the refresh token out.
        confirmed: whether the person knows what it means to share that.

    Raises:
        CodexiaError: it cannot be copied, or not without a confirmation.
    """
    source = (source or default_codex_auth_file()).expanduser()
    if source.resolve() == path.resolve():
        raise CodexiaError(f"{path} is the Codex CLI's own file; give another --auth-file")
    login = read_codex_login(source)
    if read_only:
        login = replace(login, refresh_token="")
    if login.refresh_token:
        _confirm(confirmed=confirmed)
    else:
        _tell_end(login)
    return asyncio.run(_store(path, login))


def _confirm(*, confirmed: bool) -> None:
    typer.echo(paragraph(WARNING), err=True)
    if confirmed:
        return
    if not sys.stdin.isatty():
        raise CodexiaError("pass --yes to copy it all the same, or --read-only")
    if not typer.confirm("Copy it all the same?", err=True):
        raise CodexiaError("nothing was copied")


def _tell_end(login: Credentials) -> None:
    left_s = login.expires_at - time.time()
    if login.expires_at and left_s <= 0:
        raise CodexiaError(
            "the Codex CLI's access token has expired; run any `codex` command, which refreshes "
            "it, and then this one again"
        )
    if login.expires_at:
        end = f"{local_time(login.expires_at)} ({from_now(left_s)})"
        typer.echo(f"The access token works until {end} and is not refreshed.")
    else:
        typer.echo("The access token works until it expires and is not refreshed.")


async def _store(path: Path, login: Credentials) -> SignedIn:
    async with credentials_lock(path):
        return store_login(path, login)
