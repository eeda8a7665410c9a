"""Keeps recorded exchanges as private files, the newest that have room."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from codexia.errors import BadRequest, StateUnavailable
from codexia.recordings.folder import PART, Folder
from codexia.recordings.recording import NAME
from codexia.recordings.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from codexia.settings import Settings

logger = logging.getLogger("codexia.supervisor")

MAX_COUNT: Final = 10_000


class Recordings:
    """What workers recorded; the files are read by the command line."""

    def __init__(
        self,
        directory: Path,
        settings: Callable[[], Settings],
        secrets: Callable[[], Iterable[str]],
    ) -> None:
        """Touch nothing until something is to be kept.

        Args:
            directory: of the files.
            settings: in force.
            secrets: gives those that only the supervisor knows.
        """
        self._directory = directory
        self._folder = Folder(directory)
        self._settings = settings
        self._secrets = secrets
        self._sizes: dict[str, int] | None = None
        self._writing = asyncio.Lock()
        self._failing = False

    async def keep(self, name: str, content: bytes | bytearray) -> None:
        """Keep one; the oldest make way.

        Raises:
            BadRequest: nothing is called so.
            StateUnavailable: it cannot be written.
        """
        if not NAME.fullmatch(name):
            raise BadRequest("no recording is called so")
        redaction = Redaction(self._secrets())
        max_bytes = self._settings().record_max_mb * 2**20
        async with self._writing:
            try:
                await asyncio.to_thread(self._keep, name, bytes(content), redaction, max_bytes)
            except OSError as error:
                if not self._failing:
                    logger.warning("recordings cannot be kept: %s", error.strerror)
                self._failing = True
                raise StateUnavailable("the recording cannot be kept") from error
            self._failing = False

    def _keep(self, name: str, content: bytes, redaction: Redaction, max_bytes: int) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._sizes is None:
            self._sizes = self._found()
        self._write(name, redaction.literals(content))
        self._sizes[name] = len(content)
        total = sum(self._sizes.values())
        while total > max_bytes or len(self._sizes) > MAX_COUNT:
            oldest = min(self._sizes)
            # It may be gone: the command line removes them without telling.
            self._folder.path(oldest).unlink(missing_ok=True)
            total -= self._sizes.pop(oldest)

    def _found(self) -> dict[str, int]:
        for part in self._directory.glob(f"*{PART}"):
            part.unlink(missing_ok=True)
        return self._folder.sizes()

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder.path(name)
        part = path.with_suffix(PART)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                file.write(content)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
