"""A gateway that has all its settings from config.json, so that every one can be edited."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from bench.worker_connections import WorkerConnections
from codexia.control import SupervisorStatus
from codexia.paths import Home
from tests.e2e.processes import Process, children, log_in, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

IN_FORCE_S = 5.0
"""Deadline of the tests; on a machine at rest an edit takes a tenth of it."""


class LiveGateway(Process):
    """`codexia serve` without a flag."""

    def __init__(self, home: Path, simulator: Simulator, *flags: str, **settings: Any) -> None:
        self.home = home
        self.file = home / "config.json"
        self.base = {
            "bind_port": 0,
            "workers": 2,
            "upstream_base_url": f"{simulator.url}/backend-api",
            "oauth_issuer": simulator.url,
            "upstream_transport": "http",
            **settings,
        }
        self.save()
        super().__init__(
            [sys.executable, "-m", "codexia", "serve", *flags],
            {**os.environ, "CODEXIA_HOME": str(home)},
        )
        self.line_with("listening on")

    def save(self, **settings: Any) -> None:
        """Move a new file to its place, with these settings on top of the base."""
        draft = self.home / "config.json~"
        draft.write_bytes(orjson.dumps(self.base | settings))
        draft.replace(self.file)

    def call(self, method: str, path: str) -> dict[str, Any]:
        """Return the answer of a control call."""
        transport = httpx.HTTPTransport(uds=str(Home(self.home).control_socket))
        with httpx.Client(transport=transport, base_url="http://supervisor", timeout=20) as http:
            return http.request(method, path).raise_for_status().json()

    def status(self) -> SupervisorStatus:
        """Return what the supervisor says of itself."""
        return SupervisorStatus.model_validate(self.call("GET", "/status"))

    @property
    def url(self) -> str:
        """Where it serves now."""
        return f"http://{self.status().bind}"

    def ask(self, prompt: str = "SAY[[hi]]", **request: Any) -> httpx.Response:
        """Ask one question that is not streamed, over a connection of its own."""
        body = {"model": "gpt-5.5", "input": prompt, **request}
        return httpx.post(f"{self.url}/v1/responses", json=body, trust_env=False, timeout=20)

    def models(self, **headers: str) -> list[str] | int:
        """Return the ids of `/v1/models`, or the status that it answers with."""
        reply = httpx.get(f"{self.url}/v1/models", headers=headers, trust_env=False)
        return (
            [each["id"] for each in reply.json()["data"]] if reply.is_success else reply.status_code
        )

    def worker_pids(self) -> list[int]:
        """Return the workers of the newest generation."""
        generations = self.status().generations
        return children(max(generations, key=lambda each: each.generation).pid)

    def each_worker(self) -> WorkerConnections:
        """Return a connection to each worker."""
        return WorkerConnections(int(self.url.rpartition(":")[2]), self.worker_pids())

    def served_as(self, seen: Callable[[], Any]) -> None:
        """Wait until new workers serve, and something is so."""
        wait_until(lambda: self.status().settled and seen(), "new workers serve")

    def in_force(self, seen: Callable[[], Any], what: str = "the edit is in force") -> Any:
        """Wait until something is so."""
        return wait_until(seen, what, IN_FORCE_S)


@contextmanager
def live_gateway(
    home: Path, simulator: Simulator, *flags: str, **settings: Any
) -> Iterator[LiveGateway]:
    """Give a logged-in gateway for as long as the context lasts."""
    log_in(home, simulator)
    gateway = LiveGateway(home, simulator, *flags, **settings)
    try:
        yield gateway
    finally:
        gateway.stop()
