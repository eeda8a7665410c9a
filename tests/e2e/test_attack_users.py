"""Other users of the same host: at the sockets, in the directories, with files in the way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from codexia.control_client import ControlClient
from codexia.errors import SupervisorUnavailable
from codexia.paths import Home
from tests.e2e.processes import Gateway, Process, children, log_in, running_gateway, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Simulator

NOBODY = 65534

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
with_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not here")


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("owned")
    log_in(home, simulator)
    with running_gateway(home, simulator, "--workers", "1") as gateway:
        yield gateway


@pytest.fixture
def opened(gateway: Gateway) -> Iterator[Path]:
    """The directory of the sockets, whose modes keep nobody out any more."""
    run = gateway.home / "run"
    directories = [path for path in (run, *run.parents) if path.stat().st_uid == os.getuid()]
    modes = {path: path.stat().st_mode for path in (*directories, *run.glob("*.sock"))}
    for path in directories:
        path.chmod(0o755)
    for path in run.glob("*.sock"):
        path.chmod(0o777)
    yield run
    for path, mode in modes.items():
        if path.exists():
            path.chmod(mode)


def call(path: Path, user: int | None) -> tuple[int, str]:
    """Ask the control API as some user; return curl's exit code and the HTTP status."""
    done = subprocess.run(
        [
            *("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5"),
            *("--unix-socket", str(path), "http://supervisor/status"),
        ],
        user=user,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@as_root
@with_curl
def test_modes_keep_other_users_from_the_sockets(gateway: Gateway):
    assert call(Home(gateway.home).control_socket, None) == (0, "200")
    assert call(Home(gateway.home).control_socket, NOBODY) == (7, "000")


@as_root
@with_curl
def test_other_user_at_the_control_socket_is_cut_off(gateway: Gateway, opened: Path):
    control = opened / "supervisor.sock"
    assert call(control, None) == (0, "200")
    for _ in range(3):
        code, status = call(control, NOBODY)
        assert code != 0 or status == "403"
    assert call(control, None) == (0, "200")
    gateway.line_with("cut off another user's process")


@as_root
@with_curl
def test_other_user_is_not_greeted_by_a_generation(gateway: Gateway, opened: Path):
    """With the greeting comes the listening socket."""
    [lifeline] = opened.glob("generation-*.sock")
    code, _ = call(lifeline, NOBODY)
    assert code in {7, 52, 55, 56}  # cut off at once; a greeting would be 1, being no HTTP
    with socket.socket(socket.AF_UNIX) as own:
        own.connect(str(lifeline))
        assert b'"generation"' in own.recv(4096)


def serve(home: Path) -> Process:
    return Process(
        [sys.executable, "-m", "codexia", "serve", "--bind", "127.0.0.1:0", "--workers", "1"],
        {**os.environ, "CODEXIA_HOME": str(home)},
    )


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Home]:
    """A home whose sockets are in the directory for temporary files."""
    home = Home((tmp_path / ("deep" * 25)).resolve())
    assert home.socket_dir.parent == Path("/tmp")
    yield home
    if home.socket_dir.is_symlink():
        home.socket_dir.unlink()
    else:
        shutil.rmtree(home.socket_dir, ignore_errors=True)


@as_root
def test_directory_that_another_user_made_is_not_used(deep: Home):
    deep.socket_dir.mkdir()
    os.chown(deep.socket_dir, NOBODY, NOBODY)
    process = serve(deep.root)
    process.line_with("belongs to another user")
    assert process.popen.wait(10) == 1


def test_link_in_place_of_the_directory_is_not_followed(deep: Home, tmp_path: Path):
    own = tmp_path / "mine"
    own.mkdir(mode=0o755)
    deep.socket_dir.symlink_to(own)
    process = serve(deep.root)
    process.line_with("is a link")
    assert process.popen.wait(10) == 1
    assert list(own.iterdir()) == []
    assert own.stat().st_mode & 0o777 == 0o755


def test_command_does_not_speak_to_the_supervisor_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its answers could be anything, and a batch would be in its hands."""
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(SupervisorUnavailable, match="belongs to user"):
        ControlClient(tmp_path / "supervisor.sock").status()


@pytest.fixture
def exposed_home(simulator: Simulator, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    log_in(home, simulator)
    (home / "config.json").write_text('{"api_key": "secret"}')
    (home / "batches").mkdir()
    (home / "state.db").touch()
    home.chmod(0o777)
    for name, mode in (("auth.json", 0o644), ("config.json", 0o664), ("batches", 0o755)):
        (home / name).chmod(mode)
    return home


def test_what_others_could_open_is_closed_and_told(exposed_home: Path, simulator: Simulator):
    with running_gateway(exposed_home, simulator, "--workers", "1") as gateway:
        for name in ("auth.json", "config.json", "batches"):
            gateway.line_with(f"had access to {exposed_home / name}")
        open_ones = [
            path
            for path in (exposed_home, *exposed_home.rglob("*"))
            if not path.is_symlink() and path.stat().st_mode & 0o022
        ]
        assert open_ones == []
        for name in ("auth.json", "config.json", "state.db", "batches", "run"):
            assert (exposed_home / name).stat().st_mode & 0o077 == 0


def test_no_process_leaves_a_core_dump(gateway: Gateway):
    pids = [gateway.popen.pid, gateway.generation_pid(), *gateway.worker_pids()]
    assert len(pids) == 3
    for pid in pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        [line] = [each for each in limits.splitlines() if each.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"]


def test_nothing_in_the_working_directory_is_imported(simulator: Simulator, tmp_path: Path):
    """Agents work in directories that others wrote; `serve` may be started in one."""
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("orjson", "codexia_workers", "sitecustomize", "logging", "webbrowser"):
        (trap / f"{name}.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    home = tmp_path / "home"
    log_in(home, simulator)
    script = Path(sys.executable).with_name("codexia")
    if not script.exists():
        pytest.skip("there is no codexia command beside this Python")
    process = subprocess.Popen(
        [script, "serve", "--bind", "127.0.0.1:0", "--workers", "1"],
        env={**os.environ, "CODEXIA_HOME": str(home)},
        cwd=trap,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        assert httpx.get(f"{url}/health").status_code == 200
        wait_until(lambda: any(map(children, children(process.pid))), "there is a worker")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert not (tmp_path / "sprung").exists()
