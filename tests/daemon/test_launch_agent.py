"""The LaunchAgent's life, by a launchctl that runs the program of the property list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from codexia.daemon import lifecycle
from codexia.daemon.error import DaemonError
from codexia.daemon.installing import install
from codexia.daemon.launch_agent import LaunchAgent
from codexia.paths import Home
from tests.daemon.programs import Programs, launchctl
from tests.e2e.processes import log_in, running_simulator
from tests.e2e.test_process_death import free_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LABEL = f"gui/{os.getuid()}/com.codexia.daemon"


@pytest.fixture
def programs(tmp_path: Path, scratch_home: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    (tmp_path / "bin").mkdir()
    programs = Programs(tmp_path / "bin")
    plist = scratch_home / "Library" / "LaunchAgents" / "com.codexia.daemon.plist"
    programs.add("launchctl", launchctl(tmp_path / "loaded", plist))
    monkeypatch.setenv("PATH", f"{programs.directory}:{os.environ['PATH']}")
    return programs


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home with a login, and an environment that leads to a simulator."""
    with running_simulator() as simulator:
        log_in(tmp_path / "a home", simulator)
        yield {
            "CODEXIA_UPSTREAM_BASE_URL": f"{simulator.url}/backend-api",
            "CODEXIA_OAUTH_ISSUER": simulator.url,
        }


# httpcore leaves a Unix socket that was refused to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_from_install_to_uninstall(programs: Programs, environ: dict[str, str], tmp_path: Path):
    home = Home(tmp_path / "a home")
    host, port = free_address().split(":")
    flags = {"bind_host": host, "bind_port": int(port), "workers": 1, "api_key": "canary"}
    manager = LaunchAgent()
    assert install(manager, home, flags, environ).changed
    assert not install(manager, home, flags, environ).changed
    assert b"canary" not in manager.file.read_bytes()
    assert (home.logs / "codexia.log").stat().st_mode & 0o077 == 0
    try:
        first, started = lifecycle.start(manager)
        assert started
        assert manager.state().pid == first.pid
        assert not lifecycle.start(manager)[1], "it runs already"
        programs.forget()
        second = lifecycle.restart(manager)
        assert second.pid != first.pid
        assert f"launchctl kickstart -k {LABEL}" in programs.calls
        third = lifecycle.restart(manager, rewritten=True)
        assert third.pid not in {first.pid, second.pid}
        assert f"launchctl bootout {LABEL}" in programs.calls
        assert f"launchctl bootstrap gui/{os.getuid()} {manager.file}" in programs.calls
    finally:
        assert lifecycle.stop(manager)
    assert not lifecycle.stop(manager)
    assert lifecycle.supervisor_of(home) is None
    assert manager.uninstall()
    assert not manager.uninstall()
    assert (home.root / "auth.json").exists()
    with pytest.raises(DaemonError, match="codexia daemon install"):
        lifecycle.start(manager)


def test_a_login_over_ssh_has_the_users_domain(programs: Programs, tmp_path: Path):
    programs.add("launchctl", launchctl(tmp_path / "loaded", tmp_path / "x", absent="gui/"))
    LaunchAgent().stop()
    assert programs.calls[-1] == f"launchctl print user/{os.getuid()}/com.codexia.daemon"


def test_no_session_at_all_is_explained(programs: Programs):
    programs.add("launchctl", "sys.exit(113)")
    with pytest.raises(DaemonError, match="log in on this Mac once"):
        LaunchAgent().check()


def test_the_log_is_a_file(programs: Programs, scratch_home: Path):
    log = str(scratch_home / ".codexia" / "logs" / "codexia.log")
    assert LaunchAgent().log_command(5, follow=True) == ("tail", "-n", "5", "-F", log)
    assert LaunchAgent().log_command(5, follow=False) == ("tail", "-n", "5", log)
