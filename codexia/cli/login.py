"""`codexia login`: every way to an auth.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codexia.cli.options import AuthFile, flag_settings, settings_in_force

if TYPE_CHECKING:
    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.credentials import Credentials
    from codexia.oauth.sign_in import SignedIn
    from codexia.settings import Settings


def login(  # noqa: PLR0913 - one argument an option
    codex_auth_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH",
            show_default=False,
            help="With --from-codex: the Codex CLI's auth.json. [default: ~/.codex/auth.json]",
        ),
    ] = None,
    *,
    device: Annotated[
        bool,
        typer.Option("--device", help="Show a code to approve in a browser on any machine."),
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address, open no browser.")
    ] = False,
    from_codex: Annotated[
        bool, typer.Option("--from-codex", help="Copy the login of the Codex CLI, from PATH.")
    ] = False,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            help="Of the Codex CLI's login, copy the access token alone: good until it expires.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Copy the Codex CLI's login without a question.")
    ] = False,
    originator: Annotated[
        str | None,
        typer.Option(
            "--originator",
            metavar="NAME",
            help="What the login page is told about who asks. [default: codexia]",
        ),
    ] = None,
    auth_file: AuthFile = None,
) -> None:
    """Log in with a ChatGPT account, in any browser on any machine.

    A browser on this machine reports back by itself. One on another machine ends on a page that
    does not load: paste its address here. Without either, use --device. A running gateway takes
    the login up at once.
    """
    _check_usage(codex_auth_file, from_codex=from_codex, device=device, copying=read_only or yes)

    import asyncio

    from codexia.oauth.client import AuthorityClient
    from codexia.paths import Home

    home = Home.from_environment()
    home.create()
    settings = settings_in_force(home, flag_settings(auth_file=auth_file, originator=originator))
    path = (settings.auth_file or home.auth_file).expanduser()
    authority = AuthorityClient(settings.oauth_issuer, settings.user_agent)
    if from_codex:
        from codexia.cli.login_import import copy_codex_login

        signed_in = copy_codex_login(codex_auth_file, path, read_only=read_only, confirmed=yes)
    else:
        signed_in = asyncio.run(
            _log_in(settings, path, authority, device=device, may_open=not no_browser)
        )
    typer.echo(f"Logged in{_who(signed_in.credentials)}; saved to {path}")
    if signed_in.superseded:
        asyncio.run(_revoke_superseded(signed_in.superseded, authority))


def _check_usage(
    codex_auth_file: Path | None, *, from_codex: bool, device: bool, copying: bool
) -> None:
    if from_codex and device:
        raise typer.BadParameter("choose one of --device and --from-codex")
    if codex_auth_file is not None and not from_codex:
        raise typer.BadParameter(f"{codex_auth_file} has a meaning after --from-codex only")
    if copying and not from_codex:
        raise typer.BadParameter("--read-only and --yes have a meaning with --from-codex only")


async def _log_in(
    settings: Settings, path: Path, authority: AuthorityClient, *, device: bool, may_open: bool
) -> SignedIn:
    if device:
        from codexia.cli.login_device import log_in_by_device

        return await log_in_by_device(path, authority)
    from codexia.cli.login_browser import log_in_by_browser

    return await log_in_by_browser(settings, path, authority, may_open=may_open)


async def _revoke_superseded(refresh_token: str, authority: AuthorityClient) -> None:
    from codexia.oauth.sign_in import revoke

    if reason := await revoke(refresh_token, authority):
        typer.echo(f"The login before this one could not be revoked: {reason}", err=True)


def _who(credentials: Credentials) -> str:
    """Return e.g. ` as ada@example.com (pro)`, as far as the token says it."""
    from codexia.oauth.replies import claims_of

    claims = claims_of(credentials.access_token)
    plan = f" ({claims.plan})" if claims.plan else ""
    return f" as {claims.email}{plan}" if claims.email else plan
