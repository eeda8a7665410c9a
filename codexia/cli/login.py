"""`codexia login`: from a browser to auth.json."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from codexia.cli.options import AuthFile, flag_settings, settings_in_force

if TYPE_CHECKING:
    from pathlib import Path

    from codexia.config import Settings
    from codexia.oauth.credentials import Credentials
    from codexia.oauth.pkce import Pkce
    from codexia.oauth.replies import TokenReply


def login(*, auth_file: AuthFile = None) -> None:
    """Log in with a ChatGPT account, in any browser on any machine.

    Prints an address to open. At the end the browser fails to load a page on localhost: that is
    as it should be. Copy the whole address it shows and paste it here. A running gateway takes
    the login up at once.
    """
    import asyncio

    from codexia.oauth.authorize import Authority, redirect_uri
    from codexia.oauth.pkce import Pkce
    from codexia.oauth.redirect import code_of_redirect
    from codexia.paths import Home

    home = Home.from_environment()
    home.create()
    settings = settings_in_force(home, flag_settings(auth_file=auth_file))
    path = (settings.auth_file or home.auth_file).expanduser()
    pkce = Pkce.generate()
    address = Authority(settings.oauth_issuer).authorize_url(
        pkce, redirect_uri(), settings.originator
    )
    typer.echo(f"Open this address in a browser and log in:\n\n{address}\n")
    typer.echo(
        "Afterwards the browser shows a page that does not load, at http://localhost:1455/...\n"
        "Copy that whole address and paste it here."
    )
    code = code_of_redirect(_ask("Redirect address: "), pkce.state)
    credentials = asyncio.run(_exchange_and_save(code, pkce, settings, path))
    typer.echo(f"Logged in{_who(credentials)}; saved to {path}")


def _ask(prompt: str) -> str:
    """Return the first line that is not blank, from a terminal or a pipe.

    Raises:
        CodexiaError: the input ended before there was one.
    """
    from codexia.errors import CodexiaError

    terminal = sys.stdin.isatty()
    if terminal:
        with suppress(ImportError):
            # Takes the terminal out of canonical mode, in which a line ends at 4,095 bytes.
            import readline  # noqa: F401  # pyright: ignore[reportUnusedImport]
    while True:
        try:
            line = input(prompt if terminal else "")
        except EOFError:
            typer.echo("\n" if terminal else "", nl=False)
            raise CodexiaError(
                "the input ended before a redirect address came; run `codexia login` again "
                "and paste the address that the browser ends on"
            ) from None
        if line.strip():
            return line


async def _exchange_and_save(code: str, pkce: Pkce, settings: Settings, path: Path) -> Credentials:
    from codexia.oauth.authorize import redirect_uri
    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.credentials import write_credentials
    from codexia.oauth.renewal import credentials_lock
    from codexia.oauth.replies import LoginExpired

    authority = AuthorityClient(settings.oauth_issuer, settings.user_agent)
    # Under the lock, or a refresh of the old login that is under way could overwrite the new one.
    async with credentials_lock(path):
        try:
            reply = await authority.exchange(code, pkce, redirect_uri())
        except LoginExpired as error:
            raise LoginExpired(
                "the login server refused the code, which works once and only for some minutes; "
                "run `codexia login` again and use the newest address"
            ) from error
        credentials = _credentials_of(reply, time.time())
        write_credentials(path, credentials)
    return credentials


def _credentials_of(reply: TokenReply, now: float) -> Credentials:
    from codexia.oauth.credentials import of_tokens
    from codexia.oauth.replies import AuthorityUnavailable

    if not reply.access_token or not reply.refresh_token:
        raise AuthorityUnavailable(
            "the login server's reply lacks a token; run `codexia login` again"
        )
    expires_at = None if reply.expires_in_s is None else int(now) + reply.expires_in_s
    return of_tokens(reply.access_token, reply.refresh_token, expires_at)


def _who(credentials: Credentials) -> str:
    """Return e.g. ` as ada@example.com (pro)`, as far as the token says it."""
    from codexia.oauth.replies import claims_of

    claims = claims_of(credentials.access_token)
    plan = f" ({claims.plan})" if claims.plan else ""
    return f" as {claims.email}{plan}" if claims.email else plan
