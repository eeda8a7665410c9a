"""The README's table of faults is the list that `tests/e2e/test_faults.py` goes through."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from codexia.simulator.faults import Fault, parse_fault
from tests.e2e.fault_table import AFTER_CONTENT, BEFORE_CONTENT, HARMLESS, NO_ERROR, markdown

README = Path(__file__).parent.parent / "README.md"


def test_readme_has_the_table_as_it_is_tested():
    assert markdown() in README.read_text()


def test_every_fault_of_the_simulator_is_in_the_table():
    rows = {row.fault for row in (*BEFORE_CONTENT, *AFTER_CONTENT)} | {*HARMLESS, *NO_ERROR}
    tabled = {type(parse_fault(fault)) for fault in rows}
    assert tabled == set(get_args(Fault))
    for kind in get_args(Fault):
        names = get_args(kind.model_fields["kind"].annotation)
        assert set(names) <= {fault.partition(" ")[0] for fault in rows}
