"""Whether systemd restarts us, by a `systemctl` that says what the real one says."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from codexia_supervisor import service_manager
from codexia_supervisor.service_manager import restart_is_under_way

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.supervisor.conftest import Running

OF_USER = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/codexia.service\n"
OF_SYSTEM = "0::/system.slice/codexia.service\n"
MANAGED = {"INVOCATION_ID": "4f1c"}


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a `systemctl` first on the path; it notes its arguments."""

    def install(body: str) -> Path:
        program, arguments = tmp_path / "bin" / "systemctl", tmp_path / "arguments"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$@" > {arguments}\n{body}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return arguments

    return install


def in_cgroup(tmp_path: Path, content: str) -> Path:
    file = tmp_path / "cgroup"
    file.write_text(content)
    return file


@pytest.mark.parametrize(
    ("cgroup", "jobs", "restarts", "asked"),
    [
        (OF_USER, "7 codexia.service restart running", True, "--user list-jobs"),
        (OF_USER, "7 codexia.service stop running", False, "--user list-jobs"),
        (OF_USER, "7 codexia.service try-restart waiting", True, "--user list-jobs"),
        (OF_USER, "7 other-codexia.service restart running", False, "--user list-jobs"),
        (OF_USER, "", False, "--user list-jobs"),
        (OF_SYSTEM, "12 codexia.service restart running", True, "list-jobs"),
        (f"1:name=systemd:{OF_SYSTEM[3:]}0::/\n", "1 codexia.service restart x", True, "list-jobs"),
    ],
)
async def test_job_of_our_unit_tells(
    tmp_path: Path,
    systemctl: Callable[[str], Path],
    cgroup: str,
    jobs: str,
    restarts: bool,
    asked: str,
) -> None:
    arguments = systemctl(f"echo '{jobs}'")
    assert await restart_is_under_way(MANAGED, in_cgroup(tmp_path, cgroup)) is restarts
    assert arguments.read_text().startswith(asked)


@pytest.mark.parametrize(
    ("environ", "cgroup"),
    [
        ({}, OF_USER),
        (MANAGED, "0::/user.slice/user-1000.slice/session-2.scope\n"),
        (MANAGED, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/shell.scope\n"),
        (MANAGED, "0::/\n"),
    ],
)
async def test_outside_of_a_unit_nobody_is_asked(
    tmp_path: Path, systemctl: Callable[[str], Path], environ: dict[str, str], cgroup: str
) -> None:
    arguments = systemctl("echo '7 user@1000.service restart running'")
    assert not await restart_is_under_way(environ, in_cgroup(tmp_path, cgroup))
    assert not arguments.exists()


async def test_manager_that_does_not_answer_means_a_stop(
    tmp_path: Path, systemctl: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_manager, "TIMEOUT_S", 0.2)
    systemctl("exec sleep 30")
    assert not await restart_is_under_way(MANAGED, in_cgroup(tmp_path, OF_USER))


async def test_missing_systemctl_means_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not await restart_is_under_way(MANAGED, in_cgroup(tmp_path, OF_USER))


def test_restart_by_the_manager_hands_over(
    supervise: Callable[..., Running],
    tmp_path: Path,
    systemctl: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    systemctl("echo '7 codexia.service restart running'")
    cgroup = in_cgroup(tmp_path, OF_USER)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("INVOCATION_ID", "4f1c")
        running = supervise("bind_port=0", f"--cgroup={cgroup}")
        before = running.ready(1)
        assert running.stop(signal.SIGTERM) == 0
        assert httpx.get(f"http://{before.bind}/health", trust_env=False).status_code == 200
        running.start()
        assert running.ready(2).bind == before.bind
