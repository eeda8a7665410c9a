"""What a service manager hears, over a socket of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from codexia_supervisor.notify import Notifier
from tests.supervisor.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.supervisor.conftest import Running


class Manager:
    """The manager's end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.setblocking(False)
        self._heard: list[str] = []

    def heard(self) -> list[str]:
        """All assignments so far."""
        try:
            while True:
                self._heard += self._socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return self._heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    abstract = f"@codexia-notify-{os.getpid()}"
    manager = Manager(str(tmp_path / "notify") if request.param == "path" else abstract)
    yield manager
    manager.close()


def test_only_this_process_speaks(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "5000000", "PATH": "/bin"}
    notifier = Notifier(environ)
    assert environ == {"PATH": "/bin"}
    assert (notifier.managed, notifier.watchdog_s) == (True, 5)


def test_reload_is_told_from_its_begin_to_its_end(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address})
    with notifier.reloading():
        assert manager.heard() == []  # what is not ready yet cannot be ready again
    notifier.ready("serving")
    assert manager.heard() == ["READY=1", "STATUS=serving"]
    with notifier.reloading():
        reloading, at = manager.heard()[2:]
        assert (reloading, at.startswith("MONOTONIC_USEC=")) == ("RELOADING=1", True)
    assert manager.heard()[4:] == ["READY=1", "STATUS=serving"]


async def test_watchdog_is_fed_while_the_loop_turns(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "20000"})
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        watching = group.create_task(notifier.watch())
        await asyncio.to_thread(
            wait_until, lambda: manager.heard().count("WATCHDOG=1") >= 3, "three signs of life"
        )
        watching.cancel()


async def test_watchdog_of_another_process_is_not_fed(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
    await Notifier(environ).watch()
    assert manager.heard() == []


async def test_without_a_manager_nothing_is_told() -> None:
    notifier = Notifier({"WATCHDOG_USEC": "20000"})
    notifier.ready("serving")
    notifier.stopping("over")
    await notifier.watch()
    await notifier.extend()
    assert (notifier.managed, notifier.watchdog_s) == (False, None)


def test_manager_that_went_away_stops_nobody(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("serving")


def test_supervisor_tells_its_life(
    supervise: Callable[..., Running], manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    running = supervise("bind_port=0")
    status = running.ready(1)
    wait_until(lambda: "READY=1" in manager.heard(), "ready")
    assert f"STATUS=serving on http://{status.bind}" in manager.heard()
    assert "WATCHDOG=1" in manager.heard()
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: manager.heard().count("READY=1") == 2, "ready again")
    assert manager.heard().count("RELOADING=1") == 1
    environment = _environment_of(status.generations[0].pid)
    assert not environment & {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    assert running.stop() == 0
    assert {"STOPPING=1", "STATUS=finishing open streams"} <= set(manager.heard())
    assert any(told.startswith("EXTEND_TIMEOUT_USEC=") for told in manager.heard())


def _environment_of(pid: int) -> set[str]:
    with open(f"/proc/{pid}/environ", "rb") as environ:  # noqa: PTH123 - one read of a special file
        return {entry.partition(b"=")[0].decode() for entry in environ.read().split(b"\0")}
