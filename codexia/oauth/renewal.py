"""One refresh at a time across every process that shares an auth.json.

A refresh token works once. So a refresh happens under a lock on `auth.json.lock`, the file
is read again under it, and a token that another process has replaced by then is never sent.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from codexia.errors import CodexiaError
from codexia.oauth.credentials import Credentials, read_credentials, write_credentials
from codexia.oauth.replies import AuthorityUnavailable, LoginExpired

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codexia.oauth.client import AuthorityClient

LOCK_TIMEOUT_S: Final = 30.0
"""Longer than a refresh of the holder can take."""

LOCK_RETRY_S: Final = 0.05


class NotSaved(CodexiaError):
    """A login was renewed that is nowhere but in `credentials`; whoever catches this saves it."""

    def __init__(self, path: Path, credentials: Credentials) -> None:
        super().__init__(f"the renewed login could not be saved at {path}; make room there")
        self.credentials = credentials


async def renew(path: Path, known: Credentials, authority: AuthorityClient) -> Credentials | None:
    """Return a newer login than `known`, already on disk; None when the file is gone.

    Raises:
        LoginExpired: the refresh token is refused for good, or there is none.
        AuthorityUnavailable: no usable answer came; the token may still be good.
        CredentialsUnreadable: the file makes no login.
        NotSaved: the login was renewed and the file could not be written.
    """
    async with credentials_lock(path):
        stored = read_credentials(path)
        if stored is None or stored.refresh_token != known.refresh_token:
            return stored
        if not stored.refresh_token:
            raise LoginExpired("the login has no refresh token; run `codexia login`")
        reply = await authority.refresh(stored.refresh_token)
        # The old token is spent from here on: nothing may come between reply and disk.
        renewed = stored.renewed(reply, time.time())
        try:
            write_credentials(path, renewed)
        except OSError as error:
            raise NotSaved(path, renewed) from error
        return renewed


@asynccontextmanager
async def credentials_lock(path: Path) -> AsyncGenerator[None]:
    """Hold the lock of an auth.json; whoever writes one must.

    Raises:
        AuthorityUnavailable: another process has held it for too long.
    """
    lock, descriptor = _open_lock(path)
    try:
        await _acquire(descriptor, lock)
        yield
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> tuple[Path, int]:
    target = path.resolve()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = target.with_name(f"{target.name}.lock")
    return lock, os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


async def _acquire(descriptor: int, lock: Path) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise AuthorityUnavailable(f"another process holds {lock}") from None
            await asyncio.sleep(LOCK_RETRY_S)
        else:
            return
