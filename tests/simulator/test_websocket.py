"""The simulated backend over a WebSocket: as strict as over HTTP, and with the limits of sockets."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from codexia.simulator.rules_headers import WEBSOCKET_BETA

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.simulator.conftest import Backend

TERMINAL = {"response.completed", "response.failed", "response.incomplete", "error"}


class Client:
    """A socket of a correct client."""

    def __init__(self, backend: Backend, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.backend = backend
        self.socket = socket

    async def send(self, prompt: str = "hello", /, **changes: Any) -> None:
        message = {"type": "response.create", **self.backend.body(prompt, **changes)}
        await self.socket.send_str(orjson.dumps(message).decode())

    async def events(self) -> list[dict[str, Any]]:
        """Return the events up to the end of a response."""
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] not in TERMINAL:
            events.append(orjson.loads(await self.socket.receive_str(timeout=10)))
        return events

    async def respond(self, prompt: str = "hello", /, **changes: Any) -> list[dict[str, Any]]:
        await self.send(prompt, **changes)
        return await self.events()


@asynccontextmanager
async def connected(backend: Backend, **changes: str | None) -> AsyncIterator[Client]:
    headers = backend.headers(**{"openai_beta": WEBSOCKET_BETA, **changes})
    url = f"{backend.simulator.base_url}/codex/responses"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=headers, max_msg_size=0) as socket,
    ):
        yield Client(backend, socket)


def text(events: list[dict[str, Any]]) -> str:
    kind = "response.output_text.delta"
    return "".join(event["delta"] for event in events if event["type"] == kind)


async def test_an_answer_comes_as_messages_after_its_prelude(backend: Backend):
    async with connected(backend) as client:
        events = await client.respond("SAY[[hi there]]")
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["codex.response.metadata", "codex.rate_limits", "response.created"]
    assert kinds[-1] == "response.completed"
    assert text(events) == "hi there"
    assert backend.simulator.stats.violation_count == 0


async def test_a_message_goes_on_from_the_last_response(backend: Backend):
    async with connected(backend) as client:
        first = await client.respond("SAY[[one]]")
        previous = first[-1]["response"]["id"]
        await client.respond("SAY[[two]]", previous_response_id=previous)
    roles = [item["role"] for item in orjson.loads(backend.simulator.accepted[-1].body)["input"]]
    assert roles == ["user", "assistant", "user"]
    assert backend.simulator.stats.incremental_requests == 1


async def test_only_the_last_response_of_the_socket_is_known(backend: Backend):
    async with connected(backend) as client:
        first = await client.respond("SAY[[one]]")
        await client.respond("SAY[[two]]")
        events = await client.respond(previous_response_id=first[-1]["response"]["id"])
        assert events[-1]["error"]["code"] == "previous_response_not_found"
    async with connected(backend) as other:
        events = await other.respond(previous_response_id=first[-1]["response"]["id"])
        assert (events[-1]["status"], events[-1]["error"]["code"]) == (
            400,
            "previous_response_not_found",
        )


async def test_a_failed_message_leaves_nothing_to_go_on_from(backend: Backend):
    async with connected(backend) as client:
        first = await client.respond("SAY[[one]]")
        assert (await client.respond(temperature=1))[-1]["status"] == 400
        events = await client.respond(previous_response_id=first[-1]["response"]["id"])
    assert events[-1]["error"]["code"] == "previous_response_not_found"


async def test_other_fields_with_a_previous_response_are_a_violation(backend: Backend):
    async with connected(backend) as client:
        first = await client.respond("SAY[[one]]")
        previous = first[-1]["response"]["id"]
        await client.respond("hi", previous_response_id=previous, instructions="changed")
    assert backend.violation_kinds() == ["incremental"]


async def test_a_message_while_a_response_is_in_flight_is_a_violation(backend: Backend):
    async with connected(backend) as client:
        await client.send("STREAM[[deltas=5 gap_ms=20]]")
        await client.send("SAY[[late]]")
        await client.events()
        assert text(await client.events()) == "late"
    assert backend.violation_kinds() == ["in_flight"]


async def test_the_body_is_judged_as_that_of_a_post(backend: Backend):
    async with connected(backend) as client:
        events = await client.respond(temperature=1)
    assert events == [
        {
            "type": "error",
            "status": 400,
            "error": {
                "type": "invalid_request_error",
                "message": "Unsupported parameter: temperature",
            },
        }
    ]


async def test_preparing_generates_nothing(backend: Backend):
    async with connected(backend) as client:
        prepared = await client.respond(input=[], generate=False)
        assert [event["type"] for event in prepared][-1] == "response.completed"
        previous = prepared[-1]["response"]["id"]
        assert text(await client.respond("SAY[[hi]]", previous_response_id=previous)) == "hi"


async def test_a_message_of_16_mib_closes_the_socket(backend: Backend):
    async with connected(backend) as client:
        with suppress(ConnectionError):  # it does not wait for the rest of the message
            await client.send("x" * (16 << 20))
        closed = await client.socket.receive(timeout=10)
    assert closed.type is not aiohttp.WSMsgType.TEXT
    assert closed.data in {1009, None}
    assert backend.simulator.accepted == []


async def test_an_old_socket_takes_no_more_messages(backend: Backend):
    backend.simulator.settings.socket_lifetime_s = 0
    async with connected(backend) as client:
        events = await client.respond()
        assert events[-1]["error"]["code"] == "websocket_connection_limit_reached"
        assert (await client.socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE


async def test_a_used_up_plan_is_an_error_with_headers(backend: Backend):
    backend.simulator.add_fault("429")
    async with connected(backend) as client:
        [event] = await client.respond()
    assert (event["status"], event["error"]["type"]) == (429, "usage_limit_reached")
    assert event["headers"]["X-Codex-Primary-Used-Percent"] == "100"


async def test_a_client_that_closes_stops_the_response(backend: Backend, until: Any):
    async with connected(backend) as client:
        await client.send("STREAM[[deltas=1000 gap_ms=20]]")
        await client.socket.receive_str(timeout=10)
    await until(lambda: backend.simulator.stats.open_streams == 0)
    assert backend.simulator.stats.disconnects == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"openai_beta": "responses=experimental"}, 400),
        ({"authorization": "Bearer nobody"}, 401),
        ({"user_agent": "python-aiohttp/3"}, 403),
    ],
)
async def test_the_upgrade_is_judged(backend: Backend, changes: dict[str, str], status: int):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connected(backend, **changes):
            pass
    assert refused.value.status == status
    assert backend.simulator.stats.sockets_opened == 0


@pytest.mark.parametrize("status", [403, 426, 503])
async def test_an_upgrade_can_be_refused_once(backend: Backend, status: int):
    backend.simulator.add_fault({"kind": "handshake", "status": status})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connected(backend):
            pass
    assert refused.value.status == status
    async with connected(backend) as client:
        assert text(await client.respond("SAY[[hi]]")) == "hi"
