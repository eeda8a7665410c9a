"""The file that becomes auth.json: its room is there before a refresh token is spent.

A disk that is full or a directory that may not be written shows before anything is sent. And a
process that was killed between writing the draft and renaming it has not lost the login: who
holds the lock next finds it in the draft.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from codexia.files import remove_drafts, sync_directory
from codexia.oauth.credentials import CredentialsUnreadable, parse_credentials, rendered

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from codexia.oauth.credentials import Credentials

ROOM_BYTES: Final = 64 * 1024
"""More than a login takes; a token is some 2,000 bytes."""


class Draft:
    """A file beside auth.json with room for a login; whoever has one holds the lock."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._fill(bytes(ROOM_BYTES))

    def publish(self, credentials: Credentials) -> None:
        """Make it the new auth.json; it is on disk when this returns."""
        self._fill(rendered(credentials))
        _draft_of(self._path).replace(self._path)
        sync_directory(self._path.parent)

    def _fill(self, content: bytes) -> None:
        self._file.seek(0)
        self._file.write(content)
        self._file.flush()
        self._file.truncate(len(content))
        os.fsync(self._file.fileno())


@contextmanager
def reserved(path: Path) -> Generator[Draft]:
    """Give a draft for an auth.json; it is gone afterwards unless it was published.

    Raises:
        OSError: there is no room or no permission.
    """
    path = path.resolve()
    remove_drafts(path)  # those of logins; they hold tokens
    draft = _draft_of(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "r+b") as file:
            yield Draft(path, file)
    finally:
        draft.unlink(missing_ok=True)


def unfinished(path: Path) -> Credentials | None:
    """Return the login that a killed process had written and not yet renamed, if there is one."""
    try:
        raw = _draft_of(path.resolve()).read_bytes().rstrip(b"\0")
        return parse_credentials(raw) if raw else None
    except (OSError, CredentialsUnreadable):
        return None


def discard(path: Path) -> None:
    """Remove what a killed process left."""
    _draft_of(path.resolve()).unlink(missing_ok=True)


def remove_credentials(path: Path) -> None:
    """Remove an auth.json, and what a killed process left of one; whoever does holds the lock."""
    path = path.resolve()
    for each in (_draft_of(path), path):
        each.unlink(missing_ok=True)
    remove_drafts(path)
    sync_directory(path.parent)


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")
