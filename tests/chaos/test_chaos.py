"""A short run of the chaos harness; `python -m tests.chaos` is the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.plan import plan
from tests.chaos.run import Run, run

if TYPE_CHECKING:
    from pathlib import Path

SHORT = Run(seconds=5, kills=5, seed=1)


def test_the_same_seed_gives_the_same_plan():
    assert plan(5, 60, 50) == plan(5, 60, 50)
    assert plan(5, 60, 50) != plan(6, 60, 50)
    assert sum(deed.kind == "kill" for deed in plan(5, 60, 50)) == 50


@pytest.mark.timeout(90)
async def test_invariants_hold_whatever_is_killed(tmp_path: Path):
    ledger = await run(SHORT, tmp_path, lambda _: None)
    assert ledger.broken == []
    assert ledger.kills >= SHORT.kills
    assert any(what.endswith("ended: clean") for what in ledger.counts)
