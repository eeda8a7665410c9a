from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from codexia_supervisor import file_watch
from codexia_supervisor.file_watch import watch_files

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    import pytest

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


async def test_last_of_many_saves_counts(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    draft = tmp_path / "draft"
    async with watching(file) as seen:
        for number in range(100):
            if number % 2:
                file.write_text(f"{number}")
            else:
                draft.write_text(f"{number}")
                draft.replace(file)
        await seen.until("99")
        file.write_text("100")
        await seen.until("100")


async def test_backup_by_renaming_and_writing_anew(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("old")
    async with watching(file) as seen:
        file.rename(tmp_path / "config.json~")
        file.write_text("new")
        await seen.until("new")


async def test_changes_that_the_system_does_not_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    # As on a file system without notifications: what is watched never changes.
    monkeypatch.setattr(file_watch, "_directories", lambda _: {nowhere})
    file = tmp_path / "config.json"
    async with watching(file) as seen:
        file.write_text("written")
        await seen.until("written")
        file.chmod(0o600)
        file.write_text("changed")
        await seen.until("changed")
        file.unlink()
        await seen.until(None)
