"""SECURITY.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text()


def test_each_rule_names_its_tests_and_all_are_there():
    [table] = re.findall(r"^\| attack \|.*?(?=\n\n|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    rules = [line.strip("|").split(" | ") for line in table.splitlines()[2:]]
    assert len(rules) > 20
    for attack, _, tests in rules:
        named = re.findall(r"`([^`]+)`", tests)
        assert named, attack
        assert [name for name in named if not (ROOT / name).is_file()] == [], attack


def test_each_file_of_attacks_is_named():
    files = (ROOT / "tests" / "e2e").glob("test_attack_*.py")
    assert [path.name for path in files if f"`tests/e2e/{path.name}`" not in PAGE] == []
