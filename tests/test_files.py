"""Private files."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from codexia.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path


def test_file_is_private_and_replaced_whole(tmp_path: Path):
    path = tmp_path / "deep" / "auth.json"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["auth.json"]


def test_symbolic_link_stays_and_its_target_changes(tmp_path: Path):
    target = tmp_path / "real.json"
    target.write_bytes(b"old")
    link = tmp_path / "config.json"
    link.symlink_to(target)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_draft_of_a_killed_process_goes_at_the_next_change(tmp_path: Path):
    path = tmp_path / "auth.json"
    ended = subprocess.Popen(["true"])
    ended.wait()
    living, other = tmp_path / f".auth.json.{os.getppid()}-abc", tmp_path / ".auth.json.new"
    for left in (tmp_path / f".auth.json.{ended.pid}-abc", living, other):
        left.touch()
    replace_file(path, b"one")
    assert set(tmp_path.iterdir()) == {path, living, other}


def test_failure_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "auth.json"
    replace_file(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
