"""One refresh at a time across every process that shares an auth.json.

A refresh token works once. So a refresh happens under the lock of the auth.json, the file is
read again under it, and a token that another process has replaced by then is never sent.

| killed | what the next one finds |
|---|---|
| before the token is sent | the old login; its token is sent |
| after that, before the answer is written | the old login, and a note that its token was sent. It is sent once more, the only way to learn whether the login stands |
| after the answer is written | the new login, in the draft or in auth.json |
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Final

from codexia.errors import CodexiaError
from codexia.oauth.attempt import Attempt, fingerprint
from codexia.oauth.credentials import (
    Credentials,
    CredentialsUnreadable,
    read_credentials,
    write_credentials,
)
from codexia.oauth.draft import discard, reserved, unfinished
from codexia.oauth.lock import CredentialsLock, NoNeed, credentials_lock
from codexia.oauth.replies import AuthorityUnreachable, LoginExpired

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.draft import Draft

SPENT_CODES: Final = frozenset({"refresh_token_reused", "invalid_grant"})
"""How the authority says that a token was sent before."""

__all__ = ["NotSaved", "credentials_lock", "renew", "save_renewed"]


class NotSaved(CodexiaError):
    """A login was renewed that is nowhere but in `credentials`; whoever catches this saves it."""

    def __init__(self, path: Path, credentials: Credentials) -> None:
        super().__init__(f"the renewed login could not be saved at {path}; make room there")
        self.credentials = credentials


async def renew(path: Path, known: Credentials, authority: AuthorityClient) -> Credentials | None:
    """Return a newer login than `known`, already on disk; None when the file is gone.

    Cancelled once the token was sent, it still waits for the answer and saves it.

    Raises:
        LoginExpired: the refresh token is refused for good, or there is none.
        AuthorityUnavailable: no usable answer came; the token may still be good.
        CredentialsUnreadable: the file makes no login.
        NotSaved: the login was renewed and the file could not be written.
        OSError: there is no room for the new login; nothing was sent.
    """
    try:
        return await _renew(path, known, authority)
    except NoNeed:
        return read_credentials(path)


async def save_renewed(path: Path, renewed: Credentials, spent: Collection[str]) -> None:
    """Save what `NotSaved` holds, unless there is another login by now.

    Args:
        path: of auth.json.
        renewed: is nowhere else.
        spent: refresh tokens of earlier states of the same login.

    Raises:
        AuthorityUnavailable: another process holds the lock.
        OSError: the file can still not be written.
    """
    async with credentials_lock(path):
        try:
            stored = read_credentials(path)
        except CredentialsUnreadable:
            stored = None
        if stored is None or stored.refresh_token in spent:
            write_credentials(path, renewed)


async def _renew(path: Path, known: Credentials, authority: AuthorityClient) -> Credentials | None:
    async with credentials_lock(path, lambda: _is_replaced(path, known)) as lock:
        stored = _stored(path, lock, authority.issuer)
        if stored is None or stored.refresh_token != known.refresh_token:
            return stored
        if not stored.refresh_token:
            raise LoginExpired("the login has no refresh token; run `codexia login`")
        spending = asyncio.get_running_loop().create_task(_spend(path, stored, authority, lock))
        try:
            return await asyncio.shield(spending)
        except asyncio.CancelledError:
            await asyncio.wait((spending,))
            raise


def _is_replaced(path: Path, known: Credentials) -> bool:
    """Return whether there is another login than the one to renew."""
    try:
        stored = read_credentials(path)
    except CredentialsUnreadable:
        return False
    return stored is not None and stored.refresh_token != known.refresh_token


def _stored(path: Path, lock: CredentialsLock, issuer: str) -> Credentials | None:
    """Return the login on disk, that of a killed process among it."""
    stored = read_credentials(path)
    if stored is None or lock.attempt is None:
        return stored
    found = unfinished(path)
    if found is None or lock.attempt.token != fingerprint(issuer, stored.refresh_token):
        return stored
    write_credentials(path, found)
    discard(path)
    lock.record(None)
    return found


async def _spend(
    path: Path, stored: Credentials, authority: AuthorityClient, lock: CredentialsLock
) -> Credentials:
    """Send the refresh token and save what comes back."""
    token = fingerprint(authority.issuer, stored.refresh_token)
    earlier = lock.attempt if lock.attempt is not None and lock.attempt.token == token else None
    if earlier is not None and earlier.refusal:
        raise LoginExpired(earlier.refusal)
    attempt = Attempt(token, int(time.time()), os.getpid())
    with reserved(path) as draft:
        lock.record(earlier or attempt)
        try:
            reply = await authority.refresh(stored.refresh_token)
        except AuthorityUnreachable:
            lock.record(earlier)
            raise
        except LoginExpired as refusal:
            reason = _explain(refusal, earlier)
            lock.record(Attempt(token, attempt.sent_at, attempt.pid, reason))
            raise LoginExpired(reason, code=refusal.code) from refusal
        # The old token is spent from here on: nothing may come between reply and disk.
        _save(path, renewed := stored.renewed(reply, time.time()), draft)
    lock.record(None)
    return renewed


def _save(path: Path, renewed: Credentials, draft: Draft) -> None:
    try:
        draft.publish(renewed)
    except OSError as error:
        raise NotSaved(path, renewed) from error


def _explain(refusal: LoginExpired, earlier: Attempt | None) -> str:
    if earlier is None or refusal.code not in SPENT_CODES:
        return refusal.message
    return (
        f"the login is lost: its refresh token was sent {earlier.sent} and the answer was never "
        f"saved, and the login server takes a token only once ({refusal.code}); "
        "run `codexia login`"
    )
