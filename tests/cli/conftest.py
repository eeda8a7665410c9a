"""A simulator that the tests of one module share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import Simulator, running_simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def fresh_counts(simulator: Simulator) -> None:
    """Let a test count from zero."""
    simulator.http.post("/simulator/reset").raise_for_status()
