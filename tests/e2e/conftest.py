"""A simulator and a logged-in gateway of two workers, shared by the tests of one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import (
    ForgetfulGateway,
    Gateway,
    Simulator,
    log_in,
    running_gateway,
    running_simulator,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    """Settings of the module's gateway; a module that needs others has a fixture of this name."""
    return {}


@pytest.fixture(scope="module")
def gateway(
    simulator: Simulator,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    log_in(home, simulator)
    # One test's used up plan is not to be that of the next.
    with running_gateway(
        home, simulator, "--workers", "2", kind=ForgetfulGateway, **gateway_environment
    ) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def fresh_counts(simulator: Simulator) -> None:
    """Let each test count from zero."""
    simulator.http.post("/simulator/reset").raise_for_status()
