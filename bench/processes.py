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
from typing import TYPE_CHECKING, Self

import httpx
import orjson

from bench.cpu import descendants
from bench.load import Finished
from codexia.control_client import ControlClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

    from bench.load import Job

DEADLINE_S = 30.0

NGINX_CONFIG = """
daemon off;
worker_processes 1;
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
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
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
    """A child process, its output kept by line; ends with the context that it is entered in."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        clean = {name: os.environ[name] for name in os.environ if not name.startswith("CODEXIA_")}
        self._popen = subprocess.Popen(
            arguments,
            env=clean | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, args=[self._popen.stdout], daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds.

        Raises:
            ProcessFailed: the process ended before, or the deadline passed.
        """
        end = time.monotonic() + DEADLINE_S
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
    """`codexia serve` with one worker, logged in to a simulator."""

    def __init__(
        self, home: Path, simulator: Simulator, auth: bytes, transport: str = "http"
    ) -> None:
        home.mkdir(mode=0o700)
        auth_path = home / "auth.json"
        auth_path.touch(mode=0o600)
        auth_path.write_bytes(auth)
        super().__init__(
            *(sys.executable, "-m", "codexia", "serve", "--bind", "127.0.0.1:0", "--workers", "1"),
            environment={
                "CODEXIA_HOME": str(home),
                "CODEXIA_UPSTREAM_BASE_URL": f"{simulator.url}/backend-api",
                "CODEXIA_OAUTH_ISSUER": simulator.url,
                "CODEXIA_MAX_UPSTREAM_STREAMS": "0",
                "CODEXIA_UPSTREAM_TRANSPORT": transport,
            },
        )
        self._home = home
        self.url = self.announced_url()

    def worker_pid(self) -> int:
        """The process that carries the traffic."""
        status = ControlClient(self._home / "run" / "supervisor.sock").status()
        (worker,) = descendants(status.generations[-1].pid)
        return worker

    def pids(self) -> list[int]:
        """All processes of the gateway: supervisor, Granian and the worker."""
        return [self.pid, *descendants(self.pid)]


class Nginx(Process):
    """nginx with one worker, passing everything to one backend unbuffered."""

    def __init__(self, folder: Path, backend_url: str) -> None:
        folder.mkdir(mode=0o711)
        port = _free_port()
        config = folder / "nginx.conf"
        backend = backend_url.removeprefix("http://")
        config.write_text(NGINX_CONFIG.format(folder=folder, backend=backend, port=port))
        super().__init__("nginx", "-p", str(folder), "-e", "stderr", "-c", str(config))
        self.url = f"http://127.0.0.1:{port}"
        self.wait_for(lambda: _accepts(port) and len(descendants(self.pid)) == 1)

    def worker_pid(self) -> int:
        """The process that carries the traffic."""
        (worker,) = descendants(self.pid)
        return worker


def nginx_version() -> str:
    """Return the version of the nginx on the path, "" where there is none."""
    if shutil.which("nginx") is None:
        return ""
    told = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return told.strip().rpartition("/")[2]


class LoadGenerator:
    """The other end of `bench.load`'s pipes."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, job: Job, *, on_ready: Callable[[], None], on_finished: Callable[[], None]
    ) -> Finished:
        """Do a job and return what the generator saw of it.

        Args:
            job: what to do.
            on_ready: called when all connections are open and nothing streams.
            on_finished: called when the last stream has ended, before they are verified.

        Raises:
            ProcessFailed: a stream was not as it was sent, or did not come.
        """
        self._write(job.model_dump_json())
        self._expect("ready")
        on_ready()
        self._write("go")
        line = self._expect("{")
        on_finished()
        self._expect("verified")
        return Finished.model_validate_json(line)

    def stop(self) -> None:
        """End the process."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait(DEADLINE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write(self, line: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(line + "\n")
        self._popen.stdin.flush()

    def _expect(self, start: str) -> str:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line.startswith(start):
            raise ProcessFailed(f"load generator: {line.strip() or 'ended'}")
        return line


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
