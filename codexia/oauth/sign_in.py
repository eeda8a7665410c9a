"""The end of every login: a code becomes tokens, tokens become auth.json."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from codexia.oauth.credentials import (
    Credentials,
    CredentialsUnreadable,
    of_tokens,
    read_credentials,
    write_credentials,
)
from codexia.oauth.draft import remove_credentials
from codexia.oauth.lock import credentials_lock
from codexia.oauth.replies import (
    AuthorityBusy,
    AuthorityUnavailable,
    AuthorityUnreachable,
    LoginExpired,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.pkce import Pkce
    from codexia.oauth.replies import TokenReply

RETRY_PAUSES_S: Final = (0.5, 1.0, 2.0)
REVOKE_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A login that is on disk.

    Attributes:
        superseded: refresh token of the login that it replaced, "" where none is to be revoked.
    """

    credentials: Credentials
    superseded: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A login that is gone from the disk.

    Attributes:
        unrevoked: why it could not be revoked, "" where it was or where nothing was to be.
        left_to_codex: whether it was a copy, which another program still uses.
    """

    unrevoked: str = ""
    left_to_codex: bool = False


@dataclass(frozen=True, slots=True)
class Authorization:
    """What the authority gave for a person's consent, and what it is exchanged with."""

    code: str = field(repr=False)
    pkce: Pkce
    redirect_uri: str


async def sign_in(
    authorization: Authorization,
    path: Path,
    authority: AuthorityClient,
    retrying: Callable[[str], None],
) -> SignedIn:
    """Return the login of an authorization, saved at `path`.

    A code works once, so it is sent again only where the authority did nothing with it.

    Args:
        authorization: fresh.
        path: of auth.json.
        authority: that gave it.
        retrying: called with the reason before it is sent again.

    Raises:
        LoginExpired: the code is refused.
        AuthorityUnavailable: no usable answer came.
        OSError: the file cannot be written.
    """
    pauses_s = iter(RETRY_PAUSES_S)
    while True:
        try:
            return await _exchange_and_save(authorization, path, authority)
        except (AuthorityBusy, AuthorityUnreachable) as failure:
            pause_s = next(pauses_s, None)
            if pause_s is None:
                raise
            retrying(failure.message)
            await asyncio.sleep(pause_s)


def store_login(path: Path, login: Credentials) -> SignedIn:
    """Save a login; whoever calls this holds the lock of `path`."""
    try:
        old = read_credentials(path)
    except CredentialsUnreadable:
        old = None
    write_credentials(path, login)
    if old is None or old.imported or old.refresh_token == login.refresh_token:
        return SignedIn(login)
    return SignedIn(login, old.refresh_token)


async def revoke(refresh_token: str, authority: AuthorityClient) -> str:
    """Revoke a refresh token if that can be done; return why it could not, "" where it could."""
    try:
        async with asyncio.timeout(REVOKE_TIMEOUT_S):
            await authority.revoke(refresh_token)
    except LoginExpired:
        return ""  # it was no good any more, which is what was wanted
    except AuthorityUnavailable as error:
        return error.message
    except TimeoutError:
        return f"the login server did not answer within {REVOKE_TIMEOUT_S:.0f} s"
    return ""


async def sign_out(path: Path, authority: AuthorityClient) -> SignedOut:
    """Revoke the login at `path` if that can be done, and remove it.

    Raises:
        AuthorityUnavailable: another process holds the lock.
        OSError: the file cannot be removed.
    """
    async with credentials_lock(path):
        try:
            held = read_credentials(path)
        except CredentialsUnreadable as error:
            held, outcome = None, SignedOut(error.message)
        else:
            outcome = SignedOut()
        if held is not None and held.imported:
            outcome = SignedOut(left_to_codex=True)
        elif held is not None and held.refresh_token:
            outcome = SignedOut(await revoke(held.refresh_token, authority))
        # After the revocation: a process that is killed in it has not forgotten what to revoke.
        remove_credentials(path)
        return outcome


async def _exchange_and_save(
    authorization: Authorization, path: Path, authority: AuthorityClient
) -> SignedIn:
    # Under the lock, or a refresh of the old login that is under way could overwrite the new one.
    async with credentials_lock(path):
        try:
            reply = await authority.exchange(
                authorization.code, authorization.pkce, authorization.redirect_uri
            )
        except LoginExpired as error:
            raise LoginExpired(
                "the login server refused the code, which works once and only for some minutes; "
                "run `codexia login` again and use the newest address"
            ) from error
        return store_login(path, _credentials_of(reply, time.time()))


def _credentials_of(reply: TokenReply, now: float) -> Credentials:
    if not reply.access_token or not reply.refresh_token:
        raise AuthorityUnavailable(
            "the login server's reply lacks a token; run `codexia login` again"
        )
    expires_at = None if reply.expires_in_s is None else int(now) + reply.expires_in_s
    return of_tokens(reply.access_token, reply.refresh_token, expires_at)
