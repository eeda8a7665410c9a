"""The pinned files hold every dependency, by hash, and agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pinned(name: str) -> dict[str, str]:
    """Return the version of each package of a file."""
    text = (ROOT / ".ci" / name).read_text()
    entries = re.findall(
        r"^(\S+)==(\S+)[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}[ \\]*\n?)+)", text, re.MULTILINE
    )
    assert len(entries) == len(re.findall(r"^\S", text, re.MULTILINE)), (
        "a line is no pin with hashes"
    )
    return {package: version for package, version, _ in entries}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~]", each)[0].lower() for each in requirements}


def test_runtime_is_pinned_and_what_builds_it():
    assert names([*PROJECT["dependencies"], "hatchling"]) <= pinned("runtime.txt").keys()


def test_checks_are_pinned_and_use_the_same_versions():
    everything = pinned("constraints.txt")
    assert names([*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["dev"]]) <= everything.keys()
    assert pinned("runtime.txt").items() <= everything.items()


@pytest.mark.parametrize("name", ["runtime.txt", "constraints.txt"])
def test_pins_name_no_address(name: str):
    assert "//" not in (ROOT / ".ci" / name).read_text()
