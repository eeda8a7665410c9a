"""Supervisors in processes of their own, with stand-ins for the workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from codexia.control import Snapshot, SupervisorStatus
from codexia.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
DEADLINE_S = 20.0


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Return the condition's first true value; fail after the deadline."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        pause.wait(0.02)
    return value


class Running:
    """One supervisor process; `restart` starts the next one in the same home."""

    def __init__(self, home: Path, *flags: str) -> None:
        self.home = Home(home)
        self.mode_file = home / "stand_in"
        self.log_file = home / "log"
        self.flags = flags
        home.mkdir(parents=True, exist_ok=True)
        self.behave("serve")
        self.start()

    def behave(self, mode: str) -> None:
        """Say how generations behave that start from now on."""
        self.mode_file.write_text(mode)

    def start(self) -> None:
        """Start a supervisor process."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, HERE / "run_supervisor.py", self.home.root, *self.flags],
                env={**os.environ, "STAND_IN": str(self.mode_file)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it in order and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call the control API."""
        transport = httpx.HTTPTransport(uds=str(self.home.control_socket))
        with httpx.Client(transport=transport, base_url="http://supervisor") as http:
            return http.request(method, path, content=orjson.dumps(body) if body else None)

    def status(self) -> SupervisorStatus | None:
        """Return the status, None when nobody answers."""
        with socket.socket(socket.AF_UNIX) as connection:  # httpx leaks its socket when refused
            try:
                connection.connect(str(self.home.control_socket))
                connection.sendall(b"GET /status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                with connection.makefile("rb") as answer:
                    head, _, body = answer.read().partition(b"\r\n\r\n")
            except OSError:
                return None
        return SupervisorStatus.model_validate_json(body) if b" 200 " in head else None

    def when(self, condition: Callable[[SupervisorStatus], Any], what: str) -> SupervisorStatus:
        """Return the first status that the condition holds for."""

        def holds() -> SupervisorStatus | None:
            status = self.status()
            return status if status and condition(status) else None

        try:
            return wait_until(holds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.status()}\n{self.log()}") from None

    def ready(self, generation: int | None = None) -> SupervisorStatus:
        """Return the status once exactly one generation is there and serves."""

        def alone(status: SupervisorStatus) -> bool:
            states = [(each.generation, each.state) for each in status.generations]
            return len(states) == 1 and states[0] == (generation or states[0][0], "ready")

        return self.when(alone, f"generation {generation or ''} ready and alone")

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""
        transport = httpx.HTTPTransport(uds=str(self.home.control_socket))
        with (
            httpx.Client(transport=transport, base_url="http://supervisor") as http,
            http.stream("GET", "/watch?generation=0") as reply,
        ):
            return Snapshot.model_validate_json(next(reply.iter_lines()))

    def configure(self, **settings: Any) -> None:
        """Replace config.json as an editor does."""
        draft = self.home.root / "config.json~"
        draft.write_bytes(orjson.dumps(settings))
        draft.replace(self.home.config_file)

    def log(self) -> str:
        """Return what it and its predecessors wrote."""
        return self.log_file.read_text()

    def served_by(self) -> int:
        """Return the number of the generation that answers on the port."""
        status = self.status()
        assert status is not None
        reply = httpx.get(f"http://{status.bind}/health", trust_env=False)
        return reply.json()["generation"]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start supervisors; end them and whatever they left."""
    started: list[Running] = []

    def start(*flags: str, home: str = "codexia") -> Running:
        started.append(Running(tmp_path / home, *flags))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            status = running.status()
            running.kill()
            for generation in status.generations if status else ():
                try:
                    os.killpg(generation.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue


@pytest.fixture
def free_port() -> int:
    """A port that nobody has right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
