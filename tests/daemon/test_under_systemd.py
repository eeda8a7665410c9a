"""The daemon under a real `systemd --user`: installed, restarted and killed with streams open."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import httpx
import orjson
import pytest

from tests.daemon.user_manager import missing, running_user_manager
from tests.e2e.processes import Simulator, log_in, running_simulator, wait_until, write_config
from tests.e2e.streams import DIALECTS, Received, paced, receive
from tests.e2e.test_process_death import free_address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "it can run")

KEY = "canary-of-the-local-key"
STREAMS = 30


@dataclass
class Daemon:
    """The daemon of one scratch user, and the commands of that user.

    Attributes:
        environment: of that user's shell.
    """

    environment: dict[str, str]
    address: str

    @property
    def home(self) -> Path:
        return Path(self.environment["CODEXIA_HOME"])

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def unit(self) -> Path:
        return Path(self.environment["HOME"], ".config/systemd/user/codexia.service")

    def codexia(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "-m", "codexia", *arguments], environment)

    def systemctl(self, *arguments: str) -> str:
        return self._run(["systemctl", "--user", *arguments], {}).stdout.strip()

    def shown(self, name: str) -> str:
        return self.systemctl("show", "--value", f"--property={name}", "codexia.service")

    def status(self) -> dict:
        return orjson.loads(self.codexia("daemon", "status", "--json").stdout)

    def serves_instead_of(self, pid: int) -> bool:
        return self.shown("ActiveState") == "active" and int(self.shown("MainPID")) not in {0, pid}

    def processes(self) -> list[str]:
        """What runs in the unit's cgroup; empty once that is gone."""
        user = Path(self.environment["XDG_RUNTIME_DIR"]).parent.name
        return [
            path.parent.name
            for path in Path("/proc").glob("[0-9]*/cgroup")
            if (text := _text(path)) and user in text and "/codexia.service" in text
        ]

    def _run(
        self, command: list[str], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**os.environ, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def daemon(simulator: Simulator) -> Iterator[Daemon]:
    """A user with a login and nothing installed yet."""
    with running_user_manager() as user:
        home = Path(user["HOME"], 'a "home" of 100% $HOME')
        log_in(home, simulator)
        environment = {
            **user,
            "CODEXIA_HOME": str(home),
            "CODEXIA_UPSTREAM_BASE_URL": f"{simulator.url}/backend-api",
            "CODEXIA_OAUTH_ISSUER": simulator.url,
        }
        daemon = Daemon(environment, free_address())
        try:
            yield daemon
        finally:
            daemon.systemctl("stop", "codexia.service")


@pytest.fixture
def running(daemon: Daemon) -> Daemon:
    """The daemon installed and serving."""
    done = daemon.codexia(
        "daemon", "install", "--bind", daemon.address, "--workers", "1", "--api-key", KEY, "--now"
    )
    assert done.returncode == 0, done
    assert daemon.url in done.stdout
    return daemon


def test_installed_started_and_stopped(running: Daemon):
    assert running.systemctl("is-enabled", "codexia.service") == "enabled"
    assert running.systemctl("is-active", "codexia.service") == "active"
    assert KEY not in running.unit.read_text()
    assert running.unit.stat().st_mode & 0o077 == 0
    told = running.status()
    assert told["service"]["activity"] == "active"
    assert told["service"]["pid"] == told["supervisor"]["pid"] == int(running.shown("MainPID"))
    assert told["status"]["logged_in"]
    assert httpx.get(f"{running.url}/v1/models", trust_env=False).status_code == 401
    headers = {"x-api-key": KEY}
    assert httpx.get(f"{running.url}/v1/models", headers=headers, trust_env=False).is_success

    assert "already" in running.codexia("daemon", "start").stdout
    assert running.codexia("daemon", "stop").stdout == "stopped\n"
    assert running.processes() == []
    assert running.codexia("daemon", "status").returncode == 3
    again = running.codexia("daemon", "stop")
    assert (again.returncode, again.stdout) == (0, "it did not run\n")
    assert running.codexia("daemon", "start").returncode == 0


def test_systemd_has_the_environment_that_was_meant(running: Daemon):
    pid = int(running.shown("MainPID"))
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"CODEXIA_HOME={running.home}".encode() in environ
    assert KEY.encode() not in b"".join(environ)
    allowed = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (allowed, allowed)


async def test_restart_ends_no_stream(running: Daemon):
    async def restart() -> None:
        done = await asyncio.to_thread(running.codexia, "daemon", "restart")
        assert done.returncode == 0, done

    await _streams_are_whole_through(running, restart)


async def test_restart_by_systemd_itself_ends_no_stream(running: Daemon):
    async def restart() -> None:
        await asyncio.to_thread(running.systemctl, "restart", "codexia.service")

    await _streams_are_whole_through(running, restart)


async def test_killed_supervisor_is_back_within_5_s_and_no_stream_ends(running: Daemon):
    async def kill() -> None:
        pid = int(running.shown("MainPID"))
        os.kill(pid, signal.SIGKILL)
        killed_at = time.monotonic()
        await asyncio.to_thread(wait_until, lambda: running.serves_instead_of(pid), "it is back")
        assert time.monotonic() - killed_at < 5

    await _streams_are_whole_through(running, kill)


def test_wrong_settings_neither_stop_the_daemon_nor_loop_fast(running: Daemon):
    pid = running.shown("MainPID")
    good = (running.home / "config.json").read_bytes()
    write_config(running.home, **{**orjson.loads(good), "workers": "many"})
    refused = running.codexia("daemon", "restart")
    assert refused.returncode == 1
    assert "workers" in refused.stderr
    assert running.shown("MainPID") == pid, "it runs on as it was"
    running.systemctl("stop", "codexia.service")
    running.systemctl("start", "--no-block", "codexia.service")
    wait_until(lambda: running.shown("SubState") == "stop-post", "it waits before the next try")
    assert running.shown("ExecMainStatus") == "78"
    assert "78" in running.codexia("daemon", "status").stdout
    (running.home / "config.json").write_bytes(good)
    wait_until(lambda: running.shown("ActiveState") == "active", "it comes up by itself", 40)


def test_another_gateway_of_the_same_home_is_named(running: Daemon):
    assert running.codexia("daemon", "stop").returncode == 0
    serve = subprocess.Popen(
        [sys.executable, "-m", "codexia", "serve"],
        env={**os.environ, **running.environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serve.stdout
    try:
        assert "listening" in serve.stdout.readline()
        refused = running.codexia("daemon", "start")
        assert refused.returncode == 1
        assert f"process {serve.pid}" in refused.stderr
        shown = running.codexia("daemon", "status")
        assert shown.returncode == 3
        assert f"process {serve.pid}" in shown.stdout
        running.codexia("daemon", "stop")
        assert serve.poll() is None, "a gateway in the foreground is not the daemon's to stop"
    finally:
        serve.terminate()
        serve.wait(40)
        serve.stdout.close()


def test_what_a_killed_supervisor_left_is_stopped_too(running: Daemon):
    running.systemctl("kill", "--kill-who=main", "--signal=STOP", "codexia.service")
    before = set(running.processes())
    assert len(before) > 1
    running.systemctl("kill", "--kill-who=main", "--signal=KILL", "codexia.service")
    wait_until(lambda: running.shown("ActiveState") != "active", "it is dead")
    assert running.codexia("daemon", "stop").returncode == 0
    wait_until(lambda: running.processes() == [], "nothing is left")


def test_reinstall_takes_a_change_over(running: Daemon):
    pid = running.shown("MainPID")
    done = running.codexia("daemon", "reinstall", "--workers", "2", CODEXIA_PING_INTERVAL_S="7")
    assert done.returncode == 0, done
    assert running.shown("MainPID") != pid
    assert "CODEXIA_PING_INTERVAL_S=7" in running.shown("Environment")
    assert orjson.loads((running.home / "config.json").read_bytes())["workers"] == 2


def test_uninstall_leaves_nothing_but_the_home(running: Daemon):
    done = running.codexia("daemon", "uninstall")
    assert done.returncode == 0, done
    assert not running.unit.exists()
    assert running.shown("LoadState") == "not-found"
    assert not list(running.unit.parent.glob("**/codexia.service"))
    assert (running.home / "auth.json").exists()
    assert running.codexia("daemon", "status").returncode == 4
    again = running.codexia("daemon", "uninstall")
    assert (again.returncode, again.stdout) == (0, "it is not installed\n")
    refused = running.codexia("daemon", "start")
    assert refused.returncode == 1
    assert "codexia daemon install" in refused.stderr


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended meanwhile


async def _streams_are_whole_through(running: Daemon, event: Callable[[], Awaitable[None]]) -> None:
    before = running.shown("MainPID")
    prompt, expected = paced(deltas=150, gap_ms=40)
    seen = [Received(DIALECTS[n % 3], first_byte=asyncio.Event()) for n in range(STREAMS)]
    async with (
        aiohttp.ClientSession(headers={"x-api-key": KEY}, trust_env=False) as http,
        asyncio.TaskGroup() as group,
    ):
        for each in seen:
            group.create_task(receive(http, running.url, each.dialect, prompt, each))
        async with asyncio.timeout(30):
            for each in seen:
                assert each.first_byte
                await each.first_byte.wait()
        await event()
        assert running.shown("MainPID") not in {before, "0"}
        late = group.create_task(receive(http, running.url, "chat", "SAY[[late]]"))
    assert [each for each in seen if not each.whole or each.text != expected] == []
    assert late.result().text == "late"
