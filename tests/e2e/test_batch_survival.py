"""A batch comes through the death of workers and of the supervisor; the bench has a longer run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.survival import survive

if TYPE_CHECKING:
    from pathlib import Path


def test_every_request_of_a_batch_has_one_result_whatever_is_killed(tmp_path: Path):
    survival = survive(tmp_path / "codexia", items=200, kills=3, every_s=1.0)
    assert survival.kills.total() == 3
    survival.check()
