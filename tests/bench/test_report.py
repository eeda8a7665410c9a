"""Tables say what was measured, and those in the documents are what the saved runs make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.documents import BENCH, DOCUMENTS, MARKED, rendered
from bench.report import bars_table, scenario_section, scenario_table
from bench.results import Result
from tests.bench.runs import run_of

if TYPE_CHECKING:
    from pathlib import Path

RUN = run_of({"messages": [20.0, 30.0], "chat": [40.0, 60.0], "nginx": [10.0, 10.0]})
LARGEST_RESULT_BYTES = 300_000


def test_table_has_medians_with_their_spread():
    table = scenario_section(RUN, "paced")
    assert "25.0 (20.0 to 30.0)" in table
    assert "2.50 (2.00 to 3.00)" in table
    assert "10 streams, 1 at a time" in table
    assert "best opponent" not in table, "a column that has nothing is left out"


def test_worst_lane_is_held_against_the_bar():
    assert "| 5.00 (4.00 to 6.00) | chat | missed |" in bars_table(RUN)


def test_ratio_to_the_best_opponent():
    raced = run_of({"messages": [20.0], "other chat": [100.0], "other messages": [200.0]})
    table = scenario_table(raced, "paced", ["x_opponents_us"])
    assert "5.00" in table


def test_run_that_somebody_else_limited_says_so():
    run = run_of({"messages": [20.0]})
    run.samples[0].values["simulator_s"] = 0.95
    assert "messages: limited by simulator" in scenario_section(run, "paced")


def test_saved_run_is_read_as_it_was(tmp_path: Path):
    path = tmp_path / "run.json"
    RUN.save(path)
    assert Result.read(path) == RUN


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: path.relative_to(BENCH.parent).as_posix()
)
def test_tables_are_what_the_saved_runs_make(document: Path):
    text = document.read_text()
    assert MARKED.search(text)
    assert rendered(text) == text, "run `python -m bench tables RESULT.json`"


def test_saved_runs_are_small():
    sizes = {path.name: path.stat().st_size for path in (BENCH / "results").iterdir()}
    assert sizes
    assert {name for name, size in sizes.items() if size > LARGEST_RESULT_BYTES} == set()
