"""How long a WebSocket may last, with limits that a test can wait for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codexia.errors import Overloaded
from codexia_workers.sockets import Sockets
from codexia_workers.websocket import Limits, ResponsesSocket
from codexia_workers.worker import Worker
from tests.workers.specs import generation_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PREPARE = {
    "type": "response.create",
    "model": "gpt-5.5",
    "input": "hi",
    "generate": False,
    "store": False,
}
NEVER_S = 60.0


class Client:
    """The ASGI ends of one connection."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent.put_nowait({"type": "websocket.connect"})

    def say(self, message: dict[str, Any]) -> None:
        text = orjson.dumps(message).decode()
        self.sent.put_nowait({"type": "websocket.receive", "text": text})

    async def heard(self) -> dict[str, Any]:
        """Return the next event, or the message that closes the connection."""
        async with asyncio.timeout(5):
            message = await self.received.get()
        if message["type"] == "websocket.send":
            return orjson.loads(message["text"])
        return message


@pytest.fixture
def worker() -> Worker:
    """A worker that never meets a supervisor or a backend."""
    return Worker(generation_spec())


@asynccontextmanager
async def connected(worker: Worker, sockets: Sockets, limits: Limits) -> AsyncIterator[Client]:
    """Give a client that is connected; the connection must end within the context."""
    scope = {
        "type": "websocket",
        "headers": [],
        "state": {"request_id": "req_1", "key_name": ""},
    }
    client = Client()
    app = ResponsesSocket(worker, sockets, limits)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(app(scope, client.sent.get, client.received.put))
        assert (await client.heard())["type"] == "websocket.accept"
        yield client


async def test_idle_connection_is_closed(worker: Worker):
    limits = Limits(age_s=NEVER_S, idle_s=0.2)
    async with connected(worker, Sockets(), limits) as client:
        client.say(PREPARE)
        assert (await client.heard())["type"] == "response.created"
        assert (await client.heard())["type"] == "response.completed"
        assert (await client.heard())["code"] == 1000


async def test_old_connection_is_told_so_and_closed(worker: Worker):
    async with connected(worker, Sockets(), Limits(age_s=0.05, idle_s=NEVER_S)) as client:
        error = await client.heard()
        assert (error["type"], error["status"]) == ("error", 400)
        assert error["error"]["code"] == "websocket_connection_limit_reached"
        assert (await client.heard())["code"] == 1000


async def test_message_after_the_age_is_refused_and_not_answered(worker: Worker):
    async with connected(worker, Sockets(), Limits(age_s=0.0, idle_s=NEVER_S)) as client:
        client.say(PREPARE)
        assert (await client.heard())["error"]["code"] == "websocket_connection_limit_reached"
        assert (await client.heard())["code"] == 1000


async def test_worker_that_leaves_closes_all_and_takes_no_more(worker: Worker):
    sockets = Sockets()
    async with (
        connected(worker, sockets, Limits()) as one,
        connected(worker, sockets, Limits()) as other,
    ):
        await sockets.close_all()
        assert [(await each.heard())["code"] for each in (one, other)] == [1012, 1012]
    await sockets.close_all()  # nothing is left to wait for
    refusing = ResponsesSocket(worker, sockets)
    with pytest.raises(Overloaded):
        await refusing({"type": "websocket"}, Client().sent.get, Client().received.put)


async def test_client_that_goes_leaves_nothing_behind(worker: Worker):
    sockets = Sockets()
    async with connected(worker, sockets, Limits()) as client:
        client.sent.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await sockets.close_all()
    assert client.received.empty()
