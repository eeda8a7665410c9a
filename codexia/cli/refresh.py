"""`codexia refresh`: a fresh access token now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from codexia.cli.options import AsJson, AuthFile, flag_settings, settings_in_force

if TYPE_CHECKING:
    from pathlib import Path

    from codexia.errors import LoginRequired
    from codexia.oauth.credentials import Credentials
    from codexia.oauth.renewal import NotSaved
    from codexia.paths import Home
    from codexia.settings import Settings


def refresh(*, auth_file: AuthFile = None, as_json: AsJson = False) -> None:
    """Refresh the login now, to see that it still works.

    The gateway keeps it fresh by itself, so nothing needs this.

    A running gateway does it, and all its workers use the new token from then on. Without one,
    or for the auth.json of another, this command does it under the lock that they share.
    """
    import orjson

    from codexia.local_time import from_now, local_time
    from codexia.paths import Home

    home = Home.from_environment()
    settings = settings_in_force(home, flag_settings(auth_file=auth_file))
    path = (settings.auth_file or home.auth_file).expanduser()
    account_id, expires_at = _refreshed(home, settings, path, chosen=auth_file is not None)
    if as_json:
        typer.echo(orjson.dumps({"account_id": account_id, "expires_at": expires_at}))
    elif expires_at:
        end = f"{local_time(expires_at)} ({from_now(expires_at - time.time())})"
        typer.echo(f"Refreshed; the access token is good until {end}")
    else:
        typer.echo("Refreshed; the access token does not say when it expires")


def _refreshed(home: Home, settings: Settings, path: Path, *, chosen: bool) -> tuple[str, int]:
    """Return account id and expiry of the new login."""
    from codexia.control_client import NoSupervisor

    try:
        return _by_supervisor(home, path, chosen=chosen)
    except NoSupervisor:
        import asyncio

        return asyncio.run(_by_ourselves(settings, path))


def _by_supervisor(home: Home, path: Path, *, chosen: bool) -> tuple[str, int]:
    from codexia.control import RefreshRequest, Snapshot
    from codexia.control_client import ControlClient, NoSupervisor
    from codexia.errors import LoginRequired

    supervisor = ControlClient(home.control_socket, REFRESH_TIMEOUT_S)
    if chosen and supervisor.status().auth_file != str(path.resolve()):
        raise NoSupervisor(f"no supervisor refreshes {path}")
    answer = supervisor.call("POST", "/refresh", RefreshRequest())
    login = Snapshot.model_validate(answer).login
    if login is None:
        raise LoginRequired("not logged in; run `codexia login`")
    return login.account_id.get_secret_value(), login.expires_at


async def _by_ourselves(settings: Settings, path: Path) -> tuple[str, int]:
    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.credentials import read_credentials
    from codexia.oauth.renewal import NotSaved, renew

    known = read_credentials(path)
    if known is None:
        raise _not_there(path)
    authority = AuthorityClient(settings.oauth_issuer, settings.user_agent)
    try:
        renewed = await renew(path, known, authority)
    except NotSaved as unsaved:
        renewed = await _saved_at_last(path, known, unsaved)
    if renewed is None:
        raise _not_there(path)
    return renewed.account_id, renewed.expires_at


def _not_there(path: Path) -> LoginRequired:
    from codexia.errors import LoginRequired

    return LoginRequired(f"not logged in ({path} is not there); run `codexia login`")


async def _saved_at_last(path: Path, known: Credentials, unsaved: NotSaved) -> Credentials:
    """Return the renewed login once it is saved: the old one is spent.

    Raises:
        NotSaved: it is still not after a long time.
    """
    import asyncio

    from codexia.oauth.renewal import save_renewed
    from codexia.oauth.replies import AuthorityUnavailable

    typer.echo(f"{unsaved.message}; it is lost if this command ends before that", err=True)
    deadline = time.monotonic() + SAVE_PATIENCE_S
    while time.monotonic() < deadline:
        try:
            await save_renewed(path, unsaved.credentials, {known.refresh_token})
        except (OSError, AuthorityUnavailable):
            await asyncio.sleep(SAVE_RETRY_S)
        else:
            return unsaved.credentials
    raise unsaved


SAVE_PATIENCE_S = 600.0
SAVE_RETRY_S = 0.5
REFRESH_TIMEOUT_S = 60.0
"""Longer than the supervisor waits for the lock and the authority."""
