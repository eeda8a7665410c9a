"""What holds for every test: a home of its own, no network but loopback, no blocking workers."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# How long an example takes depends on what else the machine has to do.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True, scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings and no proxies from outside, for whatever processes the tests start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            is_setting = name.startswith("CODEXIA_") and not name.startswith("CODEXIA_TEST_")
            if is_setting or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # As in a job that a shell runs in the background; what tests start would inherit it.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


@pytest.fixture(autouse=True)
def scratch_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory that no other test sees."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection that would leave this host fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def workers_never_block() -> Iterator[None]:
    """A blocking call of a worker's code in its event loop fails the test."""
    guard = BlockBuster(scanned_modules=["codexia_workers", "codexia.dialects"])
    guard.activate()
    yield
    guard.deactivate()
