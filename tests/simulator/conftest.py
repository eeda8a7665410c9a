"""A simulator, and a client of it that sends what a correct gateway sends."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from codexia.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEADLINE_S = 10


@dataclass
class Answer:
    """A whole response, read to its end or to where it broke."""

    status: int
    headers: httpx.Headers
    content: bytes
    error: type[Exception] | None = None

    @property
    def json(self) -> Any:
        return orjson.loads(self.content)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The decoded `data:` lines."""
        lines = self.content.split(b"\n")
        return [orjson.loads(line[6:]) for line in lines if line.startswith(b"data: ")]

    @property
    def items(self) -> list[dict[str, Any]]:
        done = "response.output_item.done"
        return [event["item"] for event in self.events if event["type"] == done]

    @property
    def text(self) -> str:
        """The text of all deltas."""
        kind = "response.output_text.delta"
        return "".join(event["delta"] for event in self.events if event["type"] == kind)


@dataclass
class Backend:
    """The simulator and a client with a login."""

    simulator: Simulator
    client: httpx.AsyncClient
    credentials: dict[str, Any] = field(default_factory=dict)

    def headers(self, **changes: str | None) -> dict[str, str]:
        """The headers of a correct request; None leaves one out, `_` stands for `-`."""
        headers = {
            "Authorization": f"Bearer {self.credentials['access_token']}",
            "ChatGPT-Account-ID": self.credentials["account_id"],
            "originator": "codexia",
            "User-Agent": "codexia/0.1 (linux; x64)",
            "Accept": "text/event-stream",
            "Content-Type": "application/json",
            "session-id": "session-1",
        }
        for name, value in changes.items():
            wire_name = name.replace("_", "-")
            headers = {key: each for key, each in headers.items() if key.lower() != wire_name}
            headers[wire_name] = value
        return {name: value for name, value in headers.items() if value is not None}

    @staticmethod
    def body(prompt: str = "hello", /, **changes: Any) -> dict[str, Any]:
        """A correct body; a change to Ellipsis leaves the field out."""
        message = {"type": "message", "role": "user"}
        body = {
            "model": "gpt-5.5",
            "instructions": "",
            "input": [{**message, "content": [{"type": "input_text", "text": prompt}]}],
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "session-1",
            **changes,
        }
        return {name: value for name, value in body.items() if value is not ...}

    async def respond(
        self, prompt: str = "hello", /, headers: dict[str, str] | None = None, **changes: Any
    ) -> Answer:
        content = orjson.dumps(self.body(prompt, **changes))
        return await self.send(content, headers or self.headers())

    async def send(self, content: bytes, headers: dict[str, str]) -> Answer:
        url = f"{self.simulator.base_url}/codex/responses"
        received = bytearray()
        async with self.client.stream("POST", url, content=content, headers=headers) as response:
            error = None
            try:
                async for piece in response.aiter_raw():
                    received += piece
            except httpx.HTTPError as broken:
                error = type(broken)
            return Answer(response.status_code, response.headers, bytes(received), error)

    def violation_kinds(self) -> list[str]:
        return [each["kind"] for each in self.simulator.stats.violations]

    def rejection_kinds(self) -> list[str]:
        return [each["kind"] for each in self.simulator.stats.rejected]


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    async with Simulator() as simulator, httpx.AsyncClient(timeout=DEADLINE_S) as client:
        yield Backend(simulator, client, simulator.issue_credentials())


async def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds; TimeoutError if it does not in time."""
    for _ in range(DEADLINE_S * 200):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    return until


@pytest.fixture
def raw_post() -> Callable[..., Any]:
    """Open a connection of one's own and post; gives reader and writer."""

    @contextlib.asynccontextmanager
    async def post(backend: Backend, prompt: str) -> AsyncIterator[asyncio.StreamReader]:
        content = orjson.dumps(backend.body(prompt))
        host, port = backend.simulator.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = [f"{name}: {value}" for name, value in backend.headers().items()]
        head = ["POST /backend-api/codex/responses HTTP/1.1", "Host: simulator", *lines]
        head.append(f"Content-Length: {len(content)}")
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + content)
        try:
            yield reader
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    return post
