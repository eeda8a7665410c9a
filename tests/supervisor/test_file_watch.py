from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from codexia_supervisor.file_watch import watch_files

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

DEADLINE_S = 12


class Seen:
    """Records the content of the watched file at each change."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.content: str | None = None
        self._again = asyncio.Event()

    def look(self) -> None:
        self.content = self.file.read_text() if self.file.exists() else None
        self._again.set()

    async def until(self, content: str | None) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.content != content:
                self._again.clear()
                await self._again.wait()


@asynccontextmanager
async def watching(file: Path) -> AsyncGenerator[Seen]:
    seen, stopping = Seen(file), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(watch_files(lambda: [file], seen.look, stopping))
        try:
            yield seen
        finally:
            stopping.set()


async def test_writing_replacing_and_deleting(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    async with watching(file) as seen:
        file.write_text("written")
        await seen.until("written")
        draft = tmp_path / "draft"
        draft.write_text("replaced")
        draft.replace(file)
        await seen.until("replaced")
        file.unlink()
        await seen.until(None)
        file.write_text("back")
        await seen.until("back")


async def test_target_of_a_symbolic_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target, file = elsewhere / "real.json", tmp_path / "config.json"
    target.write_text("first")
    file.symlink_to(target)
    async with watching(file) as seen:
        target.write_text("second")
        await seen.until("second")
        other = elsewhere / "other.json"
        other.write_text("third")
        moved = tmp_path / "moved"
        moved.symlink_to(other)
        moved.replace(file)
        await seen.until("third")
        other.write_text("fourth")
        await seen.until("fourth")


async def test_directory_that_comes_later(tmp_path: Path) -> None:
    file = tmp_path / "later" / "deeper" / "auth.json"
    async with watching(file) as seen:
        file.parent.mkdir(parents=True)
        file.write_text("here")
        await seen.until("here")
        file.write_text("again")
        await seen.until("again")
