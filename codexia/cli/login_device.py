"""The login by a device code."""

from __future__ import annotations

import sys
from math import ceil
from typing import TYPE_CHECKING

import typer

from codexia.cli.paragraph import paragraph
from codexia.oauth.device_wait import wait_for_approval
from codexia.oauth.pkce import Pkce
from codexia.oauth.sign_in import Authorization, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.sign_in import SignedIn

CLEAR_LINE = "\r\x1b[K"
CAUTION = (
    "Whoever enters it gives this machine the login: show it to nobody, and enter none that "
    "somebody sent you."
)


async def log_in_by_device(path: Path, authority: AuthorityClient) -> SignedIn:
    """Return the login that a person approved by a code, saved at `path`.

    Raises:
        CodexiaError: there is no login; says why.
    """
    code = await authority.device_code()
    typer.echo(
        f"Open this address in a browser on any machine and log in:\n\n"
        f"{authority.addresses.device_page_url}\n\n"
        f"Then enter this code, which is good for {code.lifetime_s / 60:.0f} minutes:\n\n"
        f"{code.user_code}\n"
    )
    typer.echo(paragraph(CAUTION))
    countdown = sys.stdout.isatty()
    if not countdown:
        typer.echo("Waiting for the approval.")

    def tick(left_s: float) -> None:
        if countdown:
            minutes, seconds = divmod(ceil(left_s), 60)
            typer.echo(
                f"{CLEAR_LINE}Waiting for the approval, {minutes}:{seconds:02} left ", nl=False
            )

    try:
        grant = await wait_for_approval(authority, code, tick)
    finally:
        if countdown:
            typer.echo()
    authorization = Authorization(
        grant.authorization_code,
        Pkce(grant.code_verifier, ""),
        authority.addresses.device_redirect_uri,
    )
    return await sign_in(authorization, path, authority, _tell_retry)


def _tell_retry(reason: str) -> None:
    typer.echo(f"{reason}; trying again", err=True)
