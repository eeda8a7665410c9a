"""A simulator that the tests of one module share, and what the doctor's tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.doctor_report import Doctor, free_port
from tests.e2e.processes import Simulator, log_in, running_simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def fresh_counts(simulator: Simulator) -> None:
    """Let a test count from zero."""
    simulator.http.post("/simulator/reset").raise_for_status()


@pytest.fixture(scope="module")
def port() -> str:
    return str(free_port())


@pytest.fixture
def doctor(simulator: Simulator, tmp_path: Path, port: str) -> Doctor:
    home = tmp_path / "home"
    log_in(home, simulator)
    home.chmod(0o700)
    return Doctor(home, simulator, port)
