"""A stand-in for systemd: runs the unit's own command with Type=notify and Restart=always."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import orjson

from codexia.control import HandoverRequest, SupervisorStatus
from codexia.control_client import ControlClient
from codexia.daemon.program import serve_command
from codexia.paths import Home
from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from tests.e2e.processes import Simulator

RESTART_S = 1.0
"""`RestartSec` of the unit."""

WATCHDOG_S = 10


class Service:
    """`codexia serve` as a daemon, its settings in config.json.

    Attributes:
        messages: what the supervisors told the manager, in order.
        starts: how often one was started.
        exits: their exit statuses.
    """

    def __init__(self, home: Path, simulator: Simulator, **settings: Any) -> None:
        self.home = Home(home)
        self.messages: list[str] = []
        self.starts = 0
        self.exits: list[int] = []
        self._settings = settings | {
            "upstream_base_url": f"{simulator.url}/backend-api",
            "oauth_issuer": simulator.url,
        }
        self._stopped = threading.Event()
        self._log = home / "log"
        # Of the abstract namespace, as systemd's own is for units with a root of their own.
        self._address = f"\0codexia-test-{os.getpid()}-{id(self)}"
        self._manager = threading.Thread(target=self._keep_running)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.configure()
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(self._address)
        threading.Thread(target=self._hear, daemon=True).start()
        self._manager.start()
        wait_until(lambda: self.told("READY=1"), "the service is ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.send_signal(signal.SIGTERM)
        self._manager.join(60)
        self._notified.close()

    def told(self, assignment: str) -> int:
        """Return how often a manager was told this."""
        return sum(assignment in message.split("\n") for message in self.messages)

    def configure(self, **changes: Any) -> None:
        """Change settings, as an editor saves them; None removes one."""
        self._settings |= changes
        self._settings = {k: v for k, v in self._settings.items() if v is not None}
        self.save(orjson.dumps(self._settings))

    def save(self, content: bytes) -> None:
        """Replace config.json."""
        draft = self.home.config_file.with_name("config.json~")
        draft.write_bytes(content)
        draft.replace(self.home.config_file)

    def status(self) -> SupervisorStatus | None:
        """Return what the supervisor says of itself, None while there is none."""
        with socket.socket(socket.AF_UNIX) as connection:  # httpx leaks its socket when refused
            try:
                connection.connect(str(self.home.control_socket))
                connection.sendall(b"GET /status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                with connection.makefile("rb") as answer:
                    head, _, body = answer.read().partition(b"\r\n\r\n")
            except OSError:
                return None
        return SupervisorStatus.model_validate_json(body) if b" 200 " in head else None

    def serves(self, pid: int | None = None, **wanted: int) -> str:
        """Return the address if only generations as wanted are to be served by, else ''.

        Args:
            pid: that the supervisor must not have any more.
            wanted: `workers` and `generation` that the newest must have, at least the second.
        """
        status = self.status()
        if status is None or status.pid == pid or not status.generations:
            return ""
        newest = status.generations[-1]
        right = newest.state == "ready" and newest.workers == wanted.get("workers", newest.workers)
        port = wanted.get("port", int(status.bind.rpartition(":")[2]))
        if not right or newest.generation < wanted.get("generation", 0):
            return ""
        return f"http://{status.bind}" if status.bind.endswith(f":{port}") else ""

    def restart(self) -> None:
        """Do what `codexia daemon restart` does: announce, then a signal."""
        process = self._running()
        ControlClient(self.home.control_socket).call("POST", "/handover", HandoverRequest())
        process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the supervisor."""
        self._running().kill()

    @property
    def pid(self) -> int:
        """The process that was started last, 0 if it has ended."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def stop(self, within_s: float) -> None:
        """Do what `codexia daemon stop` does, and wait for the end."""
        self._stopped.set()
        self._running().send_signal(signal.SIGTERM)
        self._manager.join(within_s)

    def log(self) -> str:
        """Return what they wrote."""
        return self._log.read_text()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process
        return self._process

    def _keep_running(self) -> None:
        environment = os.environ | {
            "CODEXIA_HOME": str(self.home.root),
            "NOTIFY_SOCKET": "@" + self._address[1:],
            "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000),
        }
        while not self._stopped.is_set():
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    serve_command(),
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self.starts += 1
            self.exits.append(self._process.wait())
            self._stopped.wait(RESTART_S)

    def _hear(self) -> None:
        while True:
            try:
                self.messages.append(self._notified.recv(4096).decode())
            except OSError:
                return
