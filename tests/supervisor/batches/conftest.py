"""A supervisor for batches: a process of its own, asked over its socket."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from tests.supervisor.conftest import supervise  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from tests.supervisor.batch_worker import BatchWorker
    from tests.supervisor.conftest import Running

DEADLINE_S = 60.0


class Office:
    """The owner's side of batches."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.socket = str(running.home.control_socket)
        transport = httpx.AsyncHTTPTransport(uds=self.socket)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://supervisor", timeout=60)

    async def call(self, method: str, path: str, content: Any = None) -> httpx.Response:
        if content is not None and not isinstance(content, bytes):
            content = orjson.dumps(content)
        return await self.http.request(method, path, content=content)

    async def create(self, requests: list[Any], key: str = "") -> dict[str, Any]:
        reply = await self.call("POST", f"/batches?key={key}", {"requests": requests})
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def upload(self, lines: list[Any], key: str = "") -> str:
        content = b"\n".join(
            line if isinstance(line, bytes) else orjson.dumps(line) for line in lines
        )
        reply = await self.call("POST", f"/files?key={key}&name=in.jsonl", content)
        assert reply.status_code == 200, reply.text
        return reply.json()["id"]

    async def create_of(self, file_id: str, key: str = "", **more: Any) -> dict[str, Any]:
        body = {"input_file_id": file_id, "endpoint": "/v1/responses", **more}
        reply = await self.call("POST", f"/batches/from_file?key={key}", body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def when(
        self, batch_id: str, holds: Callable[[dict[str, Any]], Any], what: str
    ) -> dict[str, Any]:
        end = time.monotonic() + DEADLINE_S
        batch: dict[str, Any] = {}
        while time.monotonic() < end:
            try:
                batch = (await self.call("GET", f"/batches/{batch_id}")).json()
                if "state" in batch and holds(batch):
                    return batch
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)
        raise AssertionError(f"not within {DEADLINE_S} s: {what}\n{batch}\n{self.running.log()}")

    async def ended(self, batch_id: str) -> dict[str, Any]:
        return await self.when(batch_id, lambda batch: batch["state"] == "ended", "ended")

    async def results(self, batch_id: str) -> list[dict[str, Any]]:
        reply = await self.call("GET", f"/batches/{batch_id}/results")
        assert reply.status_code == 200, reply.text
        return [orjson.loads(line) for line in reply.content.splitlines()]


async def until(condition: Callable[[], Any]) -> None:
    """Return once a condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what it looks at is another process's
            await asyncio.sleep(0.02)


def request(custom_id: str, **params: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "params": {"model": "m", "messages": [], **params}}


def line(custom_id: str, **more: Any) -> dict[str, Any]:
    body = {"model": "m", "input": "x"}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": body, **more}


@asynccontextmanager
async def at_work(*workers: BatchWorker) -> AsyncGenerator[None]:
    """Let workers work."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker.run()) for worker in workers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


def log_in(root: Path) -> None:
    """Leave a login that looks usable and is never tried."""
    root.mkdir(parents=True, exist_ok=True)
    login = {
        "access_token": "at",
        "refresh_token": "rt",
        "expires_at": int(time.time()) + 86400,
        "account_id": "acc",
    }
    path = root / "auth.json"
    path.write_bytes(orjson.dumps(login))
    path.chmod(0o600)


FLAGS = (
    "bind_port=0",
    "workers=1",
    "batch_concurrency=8",
    "upstream_base_url=http://127.0.0.1:9/backend-api",
    "oauth_issuer=http://127.0.0.1:9",
)


@pytest.fixture
async def office(supervise: Callable[..., Running], tmp_path: Path) -> AsyncIterator[Office]:  # noqa: F811
    log_in(tmp_path / "codexia")
    running = await asyncio.to_thread(supervise, *FLAGS)
    await asyncio.to_thread(running.ready, 1)
    office = Office(running)
    yield office
    await office.http.aclose()
