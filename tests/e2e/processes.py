"""The real processes that these tests drive: simulator and `codexia serve`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from codexia.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE_S = 20.0
TRANSPORT = os.environ.get("CODEXIA_TEST_UPSTREAM_TRANSPORT", "http")
"""How gateways ask the backend. Tests that look at requests and connections take it for HTTP."""


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Return the condition's first true value; fail after the deadline."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        pause.wait(0.02)


@dataclass
class Process:
    """A child process whose output lines are kept."""

    arguments: list[str]
    environment: dict[str, str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.popen = subprocess.Popen(
            self.arguments,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout:
            for line in self.popen.stdout:
                self.lines.append(line.rstrip("\n"))

    def line_with(self, text: str) -> str:
        """Return the first output line that holds `text`, waiting for it."""

        def found() -> str | None:
            if self.popen.poll() is not None:
                self._reader.join(1)
            line = next((line for line in self.lines if text in line), None)
            assert line or self.popen.poll() is None, "\n".join(["process ended:", *self.lines])
            return line

        return wait_until(found, f"output line with {text!r}")

    def stop(self, sig: int = signal.SIGTERM, deadline_s: float = DEADLINE_S) -> int:
        """Signal the process and return its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            code = self.popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            raise
        self._reader.join(5)
        return code


class Simulator(Process):
    """The simulator in a process of its own."""

    def __init__(self) -> None:
        super().__init__(
            [sys.executable, "-m", "codexia.simulator", "--bind", "127.0.0.1:0"], {**os.environ}
        )
        self.url = self.line_with("listening on").split()[-1]
        self.http = httpx.Client(base_url=self.url, timeout=DEADLINE_S, trust_env=False)

    @property
    def stats(self) -> dict[str, Any]:
        """What the simulator counted."""
        return self.http.get("/simulator/stats").json()

    def requests(self) -> list[dict[str, Any]]:
        """The last requests that the gateway sent."""
        return self.http.get("/simulator/requests").json()

    def credentials(self, expires_in_s: int = 864_000) -> bytes:
        """A fresh auth.json."""
        return self.http.post("/simulator/credentials", json={"expires_in_s": expires_in_s}).content

    def expire_tokens(self) -> None:
        """Refuse every access token so far."""
        self.http.post("/simulator/expire").raise_for_status()

    def fault(self, count: int = 1, **fault: Any) -> None:
        """Let the next `count` requests meet a fault."""
        self.http.post(
            "/simulator/faults", json={"fault": fault, "count": count}
        ).raise_for_status()


class Gateway(Process):
    """`codexia serve` against a simulator; `program` is how it is started."""

    program: tuple[str, ...] = ("-m", "codexia", "serve")

    def __init__(self, home: Path, simulator: Simulator, *flags: str, **environment: str) -> None:
        self.home = home
        self.settings = environment
        super().__init__(
            [sys.executable, *self.program, "--bind", "127.0.0.1:0", *flags],
            {
                **os.environ,
                "CODEXIA_HOME": str(home),
                "CODEXIA_UPSTREAM_BASE_URL": f"{simulator.url}/backend-api",
                "CODEXIA_OAUTH_ISSUER": simulator.url,
                "CODEXIA_UPSTREAM_TRANSPORT": TRANSPORT,
                **environment,
            },
        )
        self.url = self.line_with("listening on").split()[-1]

    def status(self) -> dict[str, Any]:
        """What the supervisor says of itself."""
        transport = httpx.HTTPTransport(uds=str(Home(self.home).control_socket))
        with httpx.Client(transport=transport) as http:
            return http.get("http://supervisor/status").json()

    def generation_pid(self) -> int:
        """The main process of the newest generation."""
        return max(self.status()["generations"], key=lambda each: each["generation"])["pid"]

    def worker_pids(self) -> list[int]:
        """The worker processes of the newest generation."""
        return children(self.generation_pid())


class ForgetfulGateway(Gateway):
    """One that asks the backend again after a used up plan, for tests that share a gateway."""

    program = (
        str(Path(__file__).with_name("serve_with.py")),
        "codexia_supervisor.quota.BELIEF_S=0",
        "--",
    )


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def log_in(home: Path, simulator: Simulator, expires_in_s: int = 864_000) -> None:
    """Put a login into a home, as `codexia login` would."""
    home.mkdir(parents=True, exist_ok=True)
    scratch = home / ".auth.json.new"
    scratch.write_bytes(simulator.credentials(expires_in_s))
    scratch.chmod(0o600)
    scratch.replace(home / "auth.json")


@contextmanager
def running_simulator() -> Iterator[Simulator]:
    """Give a simulator for as long as the context lasts."""
    simulator = Simulator()
    try:
        yield simulator
    finally:
        simulator.http.close()
        simulator.stop()


@contextmanager
def running_gateway(
    home: Path,
    simulator: Simulator,
    *flags: str,
    kind: type[Gateway] = Gateway,
    **environment: str,
) -> Iterator[Gateway]:
    """Give a gateway for as long as the context lasts."""
    gateway = kind(home, simulator, *flags, **environment)
    try:
        yield gateway
    finally:
        gateway.stop(signal.SIGINT)


def write_config(home: Path, **settings: Any) -> None:
    """Save config.json as an editor would."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.json").write_bytes(orjson.dumps(settings))
