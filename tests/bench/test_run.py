"""A run in small, with all of its processes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bench.documents import BENCH
from bench.results import Result

if TYPE_CHECKING:
    from pathlib import Path


def test_quick_run_leaves_a_result(tmp_path: Path):
    path = tmp_path / "run.json"
    command = [sys.executable, "-m", "bench", "run", "first_token_alone", "--quick", "--json", path]
    ended = subprocess.run(command, cwd=BENCH.parent, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result = Result.read(path)
    lanes = {sample.lane for sample in result.samples}
    assert {"messages", "chat", "responses", "direct"} <= lanes
    assert all(sample.values["streams"] == 5 for sample in result.samples)
    assert "first_token_alone: " in ended.stdout
