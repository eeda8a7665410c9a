"""The processes that take part, each started for one run and ended with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import httpx
import orjson

from bench.cpu import descendants
from codexia.control_client import ControlClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

DEADLINE_S = 30.0

OURS = ("CODEXIA_", "PYTHONDONTWRITEBYTECODE")
"""Variables that no process gets: settings, and what would make each start compile anew."""

NGINX_CONFIG = """
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream backend {{
        server {backend};
        keepalive 1024;
        keepalive_requests 1000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        keepalive_requests 1000000;
        client_max_body_size 64m;
        client_body_buffer_size 1m;
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
            # What one read takes; the default of one page would cost more calls than it must.
            proxy_buffer_size 64k;
            proxy_buffers 4 64k;
        }}
    }}
}}
"""


class ProcessFailed(Exception):
    """A process that takes part ended or did not do its part."""


class Process:
    """A child process, its output kept by line; ends with the context that it is entered in.

    It leads a process group, and whatever is left of that ends with it.
    """

    def __init__(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
        inherit: bool = True,
    ) -> None:
        """Start it.

        Args:
            arguments: program and arguments.
            environment: variables to add.
            folder: where it runs.
            inherit: whether it gets our variables, those of Codexia excepted; otherwise the path only.
        """
        kept = os.environ if inherit else {"PATH": os.environ.get("PATH", os.defpath)}
        clean = {name: kept[name] for name in kept if not name.startswith(OURS)}
        self._popen = subprocess.Popen(
            arguments,
            env=clean | (environment or {}),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started_at = time.perf_counter()
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, args=[self._popen.stdout], daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def wait_for(self, condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
        """Return once the condition holds.

        Raises:
            ProcessFailed: the process ended before, or the deadline passed.
        """
        end = time.monotonic() + deadline_s
        while not condition():
            if self._popen.poll() is not None or time.monotonic() > end:
                self.stop()
                raise ProcessFailed("\n".join([f"{self._popen.args} failed:", *self.lines]))
            time.sleep(0.01)

    def announced_url(self) -> str:
        """Return the address that the process says it listens on."""
        self.wait_for(lambda: any("listening on" in line for line in self.lines))
        return next(line for line in self.lines if "listening on" in line).split()[-1]

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the process and wait for its end."""
        if self._popen.poll() is None:
            self._popen.send_signal(how)
        try:
            self._popen.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._reader.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.lines.append(line.rstrip("\n"))


class Simulator(Process):
    """The Codex backend on loopback."""

    def __init__(self) -> None:
        super().__init__(sys.executable, "-m", "codexia.simulator", "--bind", "127.0.0.1:0")
        self.url = self.announced_url()

    @property
    def base_url(self) -> str:
        """Where the backend's endpoints are."""
        return f"{self.url}/backend-api"

    def credentials(self) -> bytes:
        """Return a fresh auth.json."""
        reply = httpx.post(f"{self.url}/simulator/credentials", json={}, trust_env=False)
        return reply.raise_for_status().content

    def last_request(self) -> tuple[dict[str, str], str]:
        """Return headers and body of the last request that the backend accepted."""
        reply = httpx.get(f"{self.url}/simulator/requests", trust_env=False)
        request = reply.raise_for_status().json()[-1]
        return request["headers"], orjson.dumps(request["body"]).decode()


class Gateway(Process):
    """`codexia serve`, logged in to a simulator."""

    program: tuple[str, ...] = (sys.executable, "-m", "codexia")

    def __init__(
        self,
        home: Path,
        simulator: Simulator,
        auth: bytes,
        transport: str = "http",
        *,
        workers: int = 1,
        port: int = 0,
    ) -> None:
        home.mkdir(mode=0o700)
        auth_path = home / "auth.json"
        auth_path.touch(mode=0o600)
        auth_path.write_bytes(auth)
        serve = ("serve", "--bind", f"127.0.0.1:{port}", "--workers", str(workers))
        super().__init__(
            *(*self.program, *serve),
            environment={
                "CODEXIA_HOME": str(home),
                "CODEXIA_UPSTREAM_BASE_URL": simulator.base_url,
                "CODEXIA_OAUTH_ISSUER": simulator.url,
                "CODEXIA_MAX_UPSTREAM_STREAMS": "0",
                "CODEXIA_UPSTREAM_TRANSPORT": transport,
            },
        )
        self._home = home
        self.url = f"http://127.0.0.1:{port}" if port else self.announced_url()

    def worker_pids(self) -> tuple[int, ...]:
        """The processes that carry the traffic."""
        status = ControlClient(self._home / "run" / "supervisor.sock").status()
        return tuple(descendants(status.generations[-1].pid))

    def worker_pid(self) -> int:
        """The one process that carries the traffic."""
        (worker,) = self.worker_pids()
        return worker

    def pids(self) -> list[int]:
        """All processes of the gateway: supervisor, Granian and the workers."""
        return [self.pid, *descendants(self.pid)]


class Nginx(Process):
    """nginx, passing everything to one backend unbuffered."""

    def __init__(self, folder: Path, backend_url: str, workers: int = 1) -> None:
        folder.mkdir(mode=0o711)
        port = free_port()
        config = folder / "nginx.conf"
        backend = backend_url.removeprefix("http://")
        config.write_text(
            NGINX_CONFIG.format(folder=folder, backend=backend, port=port, workers=workers)
        )
        super().__init__("nginx", "-p", str(folder), "-e", "stderr", "-c", str(config))
        self.url = f"http://127.0.0.1:{port}"
        self.wait_for(lambda: accepts(port) and len(descendants(self.pid)) == workers)

    def worker_pids(self) -> tuple[int, ...]:
        """The processes that carry the traffic."""
        return tuple(descendants(self.pid))


def nginx_version() -> str:
    """Return the version of the nginx on the path, "" where there is none."""
    if shutil.which("nginx") is None:
        return ""
    told = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return told.strip().rpartition("/")[2]


def free_port() -> int:
    """Return a port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port: int) -> bool:
    """Return whether somebody listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
