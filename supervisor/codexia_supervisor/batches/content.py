"""The content of uploads and batches: private files in one directory, named by id.

A name is there only once its content is on the disk. A batch made of an upload has a name of
its own for the same content, so that the deletion of one leaves the other.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from codexia.errors import RequestTooLarge, StateUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Collection, Sequence
    from pathlib import Path

    from codexia_supervisor.batches.turns import Item

WRITE_BYTES: Final = 1024 * 1024
UPLOAD_BYTES_PER_S: Final = 16 * 1024 * 1024
"""Of all uploads together: what they take of workers and cores, live requests would wait for."""

PACE_STEP_S: Final = 0.004
"""Timers have steps of a millisecond: shorter waits would be longer than they should."""
READ_BYTES: Final = 256 * 1024
PART: Final = ".part"


class ContentLost(Exception):
    """The content of a batch is not there, or not all of it."""


class Contents:
    """The directory of contents."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._paced_until = 0.0

    @property
    def exists(self) -> bool:
        """Whether there ever was any content."""
        return self._directory.exists()

    def path(self, content_id: str) -> Path:
        """Return where a content is; ids are server-made."""
        return self._directory / content_id

    def has(self, content_id: str) -> bool:
        """Whether a content is there."""
        return self.path(content_id).exists()

    async def write(self, content_id: str, chunks: AsyncIterable[bytes], max_bytes: int) -> int:
        """Keep a content as it comes in, and return its size.

        Raises:
            RequestTooLarge: it is larger than `max_bytes`; nothing of it is kept.
            StateUnavailable: it cannot be kept, e.g. because the disk is full.
        """
        part = self.path(content_id + PART)
        try:
            descriptor = await asyncio.to_thread(self._create, part)
            try:
                size = await _write_all(descriptor, self._paced(chunks), max_bytes)
                await asyncio.to_thread(os.fsync, descriptor)
            finally:
                os.close(descriptor)
            await asyncio.to_thread(self._publish, part, self.path(content_id))
        except BaseException as error:
            with suppress(OSError):
                part.unlink()
            if isinstance(error, OSError):
                raise self._unavailable(error) from error
            raise
        return size

    async def link(self, content_id: str, other_id: str) -> None:
        """Give a content another name.

        Raises:
            ContentLost: it is not there.
            StateUnavailable: the file system refuses.
        """
        try:
            await asyncio.to_thread(self._link, self.path(content_id), self.path(other_id))
        except FileNotFoundError as error:
            raise ContentLost(f"the content of {content_id} is lost") from error
        except OSError as error:
            raise self._unavailable(error) from error

    async def remove(self, content_id: str) -> None:
        """Remove a content, if it is there."""
        with suppress(OSError):
            await asyncio.to_thread(self.path(content_id).unlink)

    async def read(self, content_id: str, items: Sequence[Item]) -> list[bytes]:
        """Return the requests of some items.

        Raises:
            ContentLost: they are not there.
            StateUnavailable: they cannot be read now.
        """
        try:
            return await asyncio.to_thread(_read_items, self.path(content_id), items)
        except FileNotFoundError as error:
            raise ContentLost(f"the content of {content_id} is lost") from error
        except OSError as error:
            raise self._unavailable(error) from error

    async def stream(self, content_id: str) -> AsyncGenerator[bytes]:
        """Yield a whole content.

        Raises:
            ContentLost: it is not there.
        """
        try:
            file = await asyncio.to_thread(self.path(content_id).open, "rb")
        except FileNotFoundError as error:
            raise ContentLost(f"the content of {content_id} is lost") from error
        with file:
            while chunk := await asyncio.to_thread(file.read, READ_BYTES):
                yield chunk

    async def remove_others(self, needed: Collection[str]) -> int:
        """Remove what has no name among those needed, and return how much that was."""
        return await asyncio.to_thread(self._remove_others, needed)

    async def _paced(self, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
        """Take no more a second than `UPLOAD_BYTES_PER_S`; sockets in between hold back the rest."""
        loop = asyncio.get_running_loop()
        async for chunk in chunks:
            yield chunk
            starts = max(loop.time(), self._paced_until)
            self._paced_until = starts + len(chunk) / UPLOAD_BYTES_PER_S
            ahead_s = self._paced_until - loop.time()
            if ahead_s > PACE_STEP_S:
                await asyncio.sleep(ahead_s)

    def _create(self, part: Path) -> int:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def _publish(self, part: Path, path: Path) -> None:
        part.rename(path)
        self._sync()

    def _link(self, path: Path, other: Path) -> None:
        os.link(path, other)
        self._sync()

    def _sync(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _remove_others(self, needed: Collection[str]) -> int:
        if not self._directory.exists():
            return 0
        others = [path for path in self._directory.iterdir() if path.name not in needed]
        for path in others:
            with suppress(OSError):
                path.unlink()
        return len(others)

    def _unavailable(self, error: OSError) -> StateUnavailable:
        step = "make room on the disk" if error.errno in _FULL else "see to it that it is writable"
        return StateUnavailable(f"{self._directory} cannot be used: {error.strerror}; {step}")


_FULL: Final = frozenset({27, 28, 122})
"""EFBIG, ENOSPC, EDQUOT."""


async def _write_all(descriptor: int, chunks: AsyncIterable[bytes], max_bytes: int) -> int:
    size = 0
    block = bytearray()
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise RequestTooLarge(f"the content is larger than {max_bytes // 2**20} MB")
        block += chunk
        if len(block) >= WRITE_BYTES:
            await asyncio.to_thread(_write, descriptor, block)
            block = bytearray()
    await asyncio.to_thread(_write, descriptor, block)
    return size


def _write(descriptor: int, block: bytearray) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]
    if sys.platform == "linux":
        # Its way to the disk begins now, and not in a burst with much else some seconds later.
        # What is not there yet stays in memory all the same.
        written = os.lseek(descriptor, 0, os.SEEK_CUR)
        with suppress(OSError):  # a file system need not take advice
            os.posix_fadvise(descriptor, written - len(block), len(block), os.POSIX_FADV_DONTNEED)


def _read_items(path: Path, items: Sequence[Item]) -> list[bytes]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        bodies = [os.pread(descriptor, item.length, item.start) for item in items]
    finally:
        os.close(descriptor)
    if any(len(body) != item.length for body, item in zip(bodies, items, strict=True)):
        raise ContentLost(f"the content of {path.name} is cut short")
    return bodies
