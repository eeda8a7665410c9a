"""`codexia logout`: gives the login back and forgets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from codexia.cli.options import AuthFile, flag_settings, settings_in_force

if TYPE_CHECKING:
    from pathlib import Path

    from codexia.oauth.sign_in import SignedOut


def logout(*, auth_file: AuthFile = None) -> None:
    """Revoke the login and remove it from this machine.

    A running gateway notices at once; from then on it answers that nobody is logged in. A login
    that was copied from the Codex CLI is removed here and stays valid there.
    """
    import asyncio

    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.sign_in import sign_out
    from codexia.paths import Home

    home = Home.from_environment()
    settings = settings_in_force(home, flag_settings(auth_file=auth_file))
    path = (settings.auth_file or home.auth_file).expanduser()
    if not path.exists():
        typer.echo("Not logged in; there is nothing to remove.")
        return
    authority = AuthorityClient(settings.oauth_issuer, settings.user_agent)
    _tell(asyncio.run(sign_out(path, authority)), path)


def _tell(outcome: SignedOut, path: Path) -> None:
    if outcome.unrevoked:
        typer.echo(
            f"The login could not be revoked: {outcome.unrevoked}. Until it expires, ChatGPT's "
            "security settings can end it: https://chatgpt.com/#settings/Security",
            err=True,
        )
    if outcome.left_to_codex:
        typer.echo("The Codex CLI's own login was left as it is.")
    typer.echo(f"Logged out; removed {path}")
