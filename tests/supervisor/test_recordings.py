"""The supervisor's part of recordings: private files, the newest that have room."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from codexia.errors import BadRequest, StateUnavailable
from codexia.settings import Settings
from codexia_supervisor import recordings as module
from codexia_supervisor.recordings import Recordings

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 2**20


def name(number: int) -> str:
    return f"20261123T0000{number:02}.000Z-req_{number:024x}"


def keep(recordings: Recordings, named: str, content: bytes) -> None:
    asyncio.run(recordings.keep(named, content))


def kept(directory: Path) -> list[str]:
    return sorted(path.stem for path in directory.iterdir())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def recordings(directory: Path) -> Recordings:
    return Recordings(directory, lambda: Settings(record_max_mb=1), lambda: ["refresh-canary"])


def test_the_oldest_make_way(recordings: Recordings, directory: Path):
    for number in range(5):
        keep(recordings, name(number), b"x" * (MEBIBYTE // 3))
    assert kept(directory) == [name(2), name(3), name(4)]


def test_there_are_not_too_many(
    recordings: Recordings, directory: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MAX_COUNT", 2)
    for number in range(4):
        keep(recordings, name(number), b"{}")
    assert kept(directory) == [name(2), name(3)]


def test_those_of_an_earlier_supervisor_make_way_too(recordings: Recordings, directory: Path):
    directory.mkdir()
    (directory / f"{name(0)}.json").write_bytes(b"x" * MEBIBYTE)
    (directory / f"{name(1)}.part").write_bytes(b"half of one")
    keep(recordings, name(2), b"{}")
    assert kept(directory) == [name(2)]


def test_those_that_somebody_removed_are_not_missed(recordings: Recordings, directory: Path):
    keep(recordings, name(0), b"x" * MEBIBYTE)
    (directory / f"{name(0)}.json").unlink()
    directory.rmdir()
    keep(recordings, name(1), b"x" * MEBIBYTE)
    assert kept(directory) == [name(1)]


def test_files_are_private(recordings: Recordings, directory: Path):
    keep(recordings, name(0), b"{}")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(next(directory.iterdir()).stat().st_mode) == 0o600


def test_secrets_that_workers_do_not_know_are_taken_out(recordings: Recordings, directory: Path):
    keep(recordings, name(0), b'{"body": "it is refresh-canary"}')
    assert next(directory.iterdir()).read_bytes() == b'{"body": "it is **************"}'


@pytest.mark.parametrize(
    "strange", ["../auth", "req_1", f"{name(0)}.json", f"{name(0)}/..", "", f"{name(0)}\n"]
)
def test_other_names_are_refused(recordings: Recordings, directory: Path, strange: str):
    with pytest.raises(BadRequest):
        keep(recordings, strange, b"{}")
    assert not directory.exists()


def test_a_disk_that_refuses_is_told_of_once(
    recordings: Recordings, directory: Path, caplog: pytest.LogCaptureFixture
):
    directory.write_text("in the way")
    for number in range(2):
        with pytest.raises(StateUnavailable):
            keep(recordings, name(number), b"{}")
    directory.unlink()
    keep(recordings, name(2), b"{}")
    assert kept(directory) == [name(2)]
    assert len(caplog.records) == 1
