"""The lock of an auth.json, across every process that shares it.

The lock is the kernel's, on `auth.json.lock`: it ends with its holder, however that ends. The
file says who holds it, and which refresh token was sent last.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import orjson

from codexia.oauth.attempt import Attempt, attempt_of, loads
from codexia.oauth.replies import AuthorityUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

LOCK_TIMEOUT_S: Final = 30.0
"""Longer than a refresh can take. It counts anew for each holder: a queue is not a hang."""

LOCK_RETRY_S: Final = 0.05
MAX_RECORD_BYTES: Final = 4096


class NoNeed(Exception):
    """What the lock was wanted for has been done by another process."""


class CredentialsLock:
    """A lock that is held.

    Attributes:
        attempt: the refresh token that was sent last, if that is known.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held_at = time.time()
        self.attempt = attempt_of(_read(descriptor).get("attempt"))
        self.record(self.attempt)

    def record(self, attempt: Attempt | None) -> None:
        """Write down which token was sent last; it is on disk when this returns."""
        self.attempt = attempt
        held = {
            "pid": os.getpid(),
            "held_at": self._held_at,
            "attempt": None if attempt is None else asdict(attempt),
        }
        content = orjson.dumps(held, option=orjson.OPT_APPEND_NEWLINE)
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))
        os.fsync(self._descriptor)


@asynccontextmanager
async def credentials_lock(
    path: Path, done: Callable[[], bool] = lambda: False
) -> AsyncGenerator[CredentialsLock]:
    """Hold the lock of an auth.json; whoever writes one must.

    Args:
        path: of the auth.json.
        done: tells, while we wait, that the lock is no longer needed. The lock knows no queue, so
            one who wants it once could wait for long behind others who want it all the time.

    Raises:
        NoNeed: it is no longer needed.
        AuthorityUnavailable: another process has held it for too long; says which.
        OSError: there can be no such lock here.
    """
    lock = lock_file_of(path)
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = await _acquire(lock, done)
    try:
        yield CredentialsLock(descriptor)
    finally:
        os.close(descriptor)


def lock_file_of(path: Path) -> Path:
    """Return where the lock of an auth.json is."""
    target = path.resolve()
    return target.with_name(f"{target.name}.lock")


def last_attempt(path: Path) -> Attempt | None:
    """Return the refresh token of an auth.json that was sent last, without taking the lock."""
    try:
        return attempt_of(loads(lock_file_of(path).read_bytes()).get("attempt"))
    except OSError:
        return None


async def _acquire(lock: Path, done: Callable[[], bool]) -> int:
    holder: dict[str, object] = {}
    deadline = 0.0
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(lock, descriptor):
                return descriptor
            os.close(descriptor)
        except BlockingIOError:
            before, holder = holder, _read(descriptor)
            os.close(descriptor)
            if done():
                raise NoNeed from None
            if not deadline or holder.get("held_at") != before.get("held_at"):
                deadline = time.monotonic() + LOCK_TIMEOUT_S
            elif time.monotonic() > deadline:
                raise _stuck(lock, holder.get("pid", "?")) from None
            await asyncio.sleep(LOCK_RETRY_S)
        except OSError:
            os.close(descriptor)
            raise


def _stuck(lock: Path, pid: object) -> AuthorityUnavailable:
    return AuthorityUnavailable(
        f"process {pid} holds {lock} and does not let go; if it is stopped, let it go on "
        f"(`kill -CONT {pid}`) or end it"
    )


def _is_still(lock: Path, descriptor: int) -> bool:
    """Return whether the file was not removed while we waited for it."""
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _read(descriptor: int) -> dict[str, object]:
    return loads(os.pread(descriptor, MAX_RECORD_BYTES, 0))
