"""`GET /v1/responses` as a WebSocket, against raw frames."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
import websockets

from tests.e2e.processes import Gateway, log_in, running_gateway, wait_until, write_config
from tests.e2e.sockets import ConnectionClosed, Socket, connected
from tests.e2e.streams import paced, receive, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

SOCKETS = 50
LONG = "STREAM[[deltas=2000 gap_ms=10]]"
SAY = {"input": "SAY[[hi]]"}


@pytest.fixture
def fresh(simulator: Simulator, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of two workers that a test may wreck."""
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "2") as gateway:
        yield gateway


async def soon(condition: Any, what: str, deadline_s: float = 5) -> None:
    await asyncio.to_thread(wait_until, condition, what, deadline_s)


def last_input(simulator: Simulator) -> list[tuple[str, str]]:
    """Return type and text of the items that reached the backend last."""
    items = simulator.requests()[-1]["body"]["input"]
    return [
        (item["type"], item["content"][0]["text"] if "content" in item else "") for item in items
    ]


async def test_events_are_the_streams_own(gateway: Gateway, simulator: Simulator):
    async with connected(gateway.url) as socket:
        turn = await socket.turn(input="SAY[[over the socket]]", instructions="be brief")
    assert turn.whole
    assert turn.text == "over the socket"
    assert turn.response["output"][0]["content"][0]["text"] == "over the socket"
    assert turn.response["instructions"] == "be brief"
    assert simulator.stats["violations"] == []


async def test_turn_needs_only_what_is_new(gateway: Gateway, simulator: Simulator):
    async with connected(gateway.url) as socket:
        first = await socket.turn(input="SAY[[one]]", store=False)
        second = await socket.turn(
            input=[{"role": "user", "content": "SAY[[two]]"}],
            previous_response_id=first.response["id"],
            store=False,
        )
        assert last_input(simulator) == [
            ("message", "SAY[[one]]"),
            ("message", "one"),
            ("message", "SAY[[two]]"),
        ]
        assert second.response["previous_response_id"] == first.response["id"]
        fork = await socket.turn(
            input="SAY[[fork]]", previous_response_id=first.response["id"], store=False
        )
    assert (second.text, fork.text) == ("two", "fork")
    assert len(last_input(simulator)) == 3
    assert simulator.stats["violations"] == []


async def test_tool_round_goes_on_from_the_call(gateway: Gateway, simulator: Simulator):
    tools = [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]
    asked = {"tools": tools, "store": False, "reasoning": {"effort": "low"}}
    async with connected(gateway.url) as socket:
        call = await socket.turn(input="call get_weather", **asked)
        item = call.response["output"][-1]
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
        answer = await socket.turn(
            input=[output], previous_response_id=call.response["id"], **asked
        )
    kinds = [kind for kind, _ in last_input(simulator)]
    assert kinds == ["message", "reasoning", "function_call", "function_call_output"]
    assert answer.text == "DONE sunny"
    assert simulator.stats["violations"] == []


async def test_response_of_another_connection_is_unknown_unless_stored(gateway: Gateway):
    async with connected(gateway.url) as one, connected(gateway.url) as other:
        unstored = await one.turn(**SAY, store=False)
        missed = await other.turn(**SAY, previous_response_id=unstored.response["id"])
        stored = await one.turn(**SAY, store=True)
        found = await other.turn(input="SAY[[found]]", previous_response_id=stored.response["id"])
    assert missed.last["status"] == 400
    assert missed.last["error"]["code"] == "previous_response_not_found"
    assert missed.last["error"]["param"] == "previous_response_id"
    assert found.text == "found"


async def test_prepared_response_asks_no_backend_and_can_be_gone_on_from(
    gateway: Gateway, simulator: Simulator
):
    async with connected(gateway.url) as socket:
        prepared = await socket.turn(input="SAY[[prepared]]", generate=False, store=False)
        assert simulator.stats["responses_started"] == 0
        answer = await socket.turn(
            input=[], previous_response_id=prepared.response["id"], store=False
        )
    assert prepared.kinds == ["response.created", "response.completed"]
    assert prepared.whole
    assert prepared.response["output"] == []
    assert prepared.response["usage"]["total_tokens"] == 0
    assert answer.text == "prepared"
    assert answer.response["id"] != prepared.response["id"]


async def test_messages_wait_for_their_turn_and_their_lane_is_named(gateway: Gateway):
    async with connected(gateway.url) as socket:
        await socket.send(input="STREAM[[deltas=20 gap_ms=10]]", stream_id="slow")
        await socket.send(input="SAY[[quick]]", stream_id='qu"ick')
        first, second = await socket.rest(), await socket.rest()
    assert first.whole
    assert second.whole
    assert {event["stream_id"] for event in first.events} == {"slow"}
    assert {event["stream_id"] for event in second.events} == {'qu"ick'}
    assert second.text == "quick"


async def test_more_messages_than_may_wait_are_refused(gateway: Gateway):
    async with connected(gateway.url) as socket:
        await socket.send(input=LONG)
        await socket.event()
        for _ in range(9):
            await socket.send(**SAY)
        turn = await socket.rest()
    assert turn.last["status"] == 429
    assert turn.last["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "invalid_json"),
        ("[1]", "invalid_json"),
        ('{"a":' * 300 + "1" + "}" * 300, "invalid_json"),
        ("{}", "missing_required_parameter"),
        ('{"type":1}', "invalid_type"),
        ('{"type":"response.steer"}', "unknown_event"),
        ('{"type":"response.create","input":"hi"}', "missing_required_parameter"),
        ('{"type":"response.create","model":"gpt-5.5"}', "missing_required_parameter"),
        ('{"type":"response.create","model":"gpt-5.5","input":7}', "invalid_type"),
        ('{"type":"response.create","model":"gpt-5.5","input":"a","generate":1}', "invalid_type"),
        ('{"type":"response.create","model":"gpt-5.5","input":"a","stream_id":1}', "invalid_type"),
        (
            '{"type":"response.create","model":"gpt-5.5","input":"a","background":true}',
            "unsupported_parameter",
        ),
    ],
)
async def test_bad_message_is_an_error_and_the_connection_goes_on(
    gateway: Gateway, text: str, code: str
):
    async with connected(gateway.url) as socket:
        error = await socket.error(text)
        assert (error["status"], error["error"]["code"]) == (400, code)
        assert error["error"]["message"]
        assert (await socket.turn(**SAY)).text == "hi"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("429", 429, "usage_limit_reached"),
        ("429_transient", 429, "rate_limit_exceeded"),
        ("503", 503, "server_error"),
        ("failed code=context_length_exceeded", 400, "context_length_exceeded"),
    ],
)
async def test_backends_refusal_is_an_error_with_its_status(
    gateway: Gateway, fault: str, status: int, code: str
):
    async with connected(gateway.url) as socket:
        turn = await socket.turn(input=f"hi FAULT[[{fault}]]")
        assert turn.kinds == ["error"]
        assert (turn.last["status"], turn.last["error"]["code"]) == (status, code)
        assert (await socket.turn(**SAY)).text == "hi"


async def test_reply_that_breaks_off_is_a_failed_response(gateway: Gateway):
    async with connected(gateway.url) as socket:
        turn = await socket.turn(input="STREAM[[deltas=20]] FAULT[[cut after=8]]", store=False)
        assert turn.kinds[-1] == "response.failed"
        assert "response.completed" not in turn.kinds
        missed = await socket.turn(**SAY, previous_response_id=turn.response["id"])
        assert missed.last["error"]["code"] == "previous_response_not_found"


async def test_binary_message_closes(gateway: Gateway):
    async with connected(gateway.url) as socket:
        await socket.http.send_bytes(b"{}")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.event()
    assert closed.value.code == 1003


async def test_message_of_15_mib_is_taken(gateway: Gateway, simulator: Simulator):
    padding = "x" * (15 * 2**20)
    async with connected(gateway.url) as socket:
        turn = await socket.turn(input=[{"role": "user", "content": f"{padding} SAY[[large]]"}])
    assert turn.text == "large"


async def test_fragmented_message_over_the_limit_closes(gateway: Gateway):
    fragment = "x" * (9 * 2**20)
    address = gateway.url.replace("http", "ws", 1)
    async with websockets.connect(f"{address}/v1/responses", compression=None) as socket:
        await socket.send([fragment, fragment])
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 1009


async def test_pings_are_answered_in_a_turn_and_between(gateway: Gateway):
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{gateway.url}/v1/responses", autoping=False) as raw,
    ):
        await raw.ping(b"idle")
        assert (await raw.receive(timeout=5)).data == b"idle"
        await Socket(raw).send(input=LONG)
        await raw.ping(b"busy")
        while True:
            message = await raw.receive(timeout=5)
            if message.type is aiohttp.WSMsgType.PONG:
                break
        assert message.data == b"busy"


@pytest.mark.parametrize("kindly", [True, False], ids=["closed", "dropped"])
async def test_client_gone_ends_the_backends_work_at_once(
    gateway: Gateway, simulator: Simulator, kindly: bool
):
    async with aiohttp.ClientSession() as http:
        sockets = [Socket(await http.ws_connect(f"{gateway.url}/v1/responses")) for _ in range(20)]
        for socket in sockets:
            await socket.send(input=LONG)
        await soon(lambda: simulator.stats["open_streams"] == 20, "all streams are open")
        for socket in sockets:
            if kindly:
                await socket.http.close()
            else:
                socket.http._response.connection.transport.abort()
        await soon(lambda: simulator.stats["open_streams"] == 0, "all streams ended", 0.5)
    assert simulator.stats["disconnects"] == 20


async def test_many_sockets_are_exact(gateway: Gateway, simulator: Simulator):
    prompt, expected = paced(deltas=100, gap_ms=10)

    async def two_turns(number: int) -> list[str]:
        async with connected(gateway.url) as socket:
            first = await socket.turn(input=prompt, store=False)
            second = await socket.turn(
                input=f"SAY[[{number}]]",
                previous_response_id=first.response["id"],
                store=False,
            )
        assert first.whole
        assert second.whole
        return [first.text, second.text]

    texts = await asyncio.gather(*(two_turns(number) for number in range(SOCKETS)))
    assert texts == [[expected, str(number)] for number in range(SOCKETS)]
    assert simulator.stats["violations"] == []


async def test_trigger_compacts_over_the_socket(gateway: Gateway, simulator: Simulator):
    async with connected(gateway.url) as socket:
        turn = await socket.turn(
            input=[{"role": "user", "content": "hi"}, {"type": "compaction_trigger"}], store=False
        )
        [item] = turn.response["output"]
        asked = [item, {"role": "user", "content": "SAY[[on]]"}]
        assert (await socket.turn(input=asked, store=False)).text == "on"
    assert item["type"] == "compaction"
    assert simulator.stats["violations"] == []


async def test_headers_of_a_turn_come_from_its_message(gateway: Gateway, simulator: Simulator):
    said = {"x-codex-turn-metadata": "of the turn", "x-codex-window-id": "a\r\nb: c"}
    opened = {"x-codex-turn-metadata": "of the connection", "x-codex-window-id": "w:0"}
    async with connected(gateway.url, **opened) as socket:
        await socket.turn(**SAY, client_metadata=said)
    headers = simulator.requests()[-1]["headers"]
    assert headers["x-codex-turn-metadata"] == "of the turn"
    assert headers["x-codex-window-id"] == "w:0"


async def test_stop_lets_turns_end_and_closes_idle_sockets(fresh: Gateway, simulator: Simulator):
    prompt, expected = paced(deltas=100, gap_ms=20)
    async with connected(fresh.url) as idle, connected(fresh.url) as busy:
        await busy.send(input=prompt)
        await soon(lambda: simulator.stats["open_streams"] == 1, "the turn has begun")
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(asyncio.to_thread(fresh.stop, signal.SIGINT))
            with pytest.raises(ConnectionClosed) as closed:
                await idle.event()
            assert simulator.stats["open_streams"] == 1
            turn = await busy.rest()
            with pytest.raises(ConnectionClosed) as after:
                await busy.event()
    assert (closed.value.code, after.value.code) == (1012, 1012)
    assert turn.whole
    assert turn.text == expected
    assert stopping.result() == 0


async def test_replaced_workers_let_turns_end_and_clients_come_back(
    simulator: Simulator, tmp_path: Path
):
    log_in(tmp_path, simulator)
    write_config(tmp_path, workers=1)
    prompt, expected = paced(deltas=150, gap_ms=20)
    with running_gateway(tmp_path, simulator) as gateway:
        generation = gateway.generation_pid()
        async with connected(gateway.url) as idle, connected(gateway.url) as busy:
            await busy.send(input=prompt)
            await soon(lambda: simulator.stats["open_streams"] == 1, "the turn has begun")
            write_config(tmp_path, workers=2)
            with pytest.raises(ConnectionClosed) as closed:
                await idle.event()
            turn = await busy.rest()
            with pytest.raises(ConnectionClosed) as after:
                await busy.event()
        assert gateway.generation_pid() != generation
        async with connected(gateway.url) as again:
            assert (await again.turn(**SAY)).text == "hi"
    assert (closed.value.code, after.value.code) == (1012, 1012)
    assert turn.whole
    assert turn.text == expected


async def test_killed_worker_ends_only_its_own_sockets(fresh: Gateway):
    prompt, expected = paced(deltas=100, gap_ms=20)
    victim = fresh.worker_pids()[0]

    opened = asyncio.Semaphore(0)

    async def turn() -> str:
        try:
            async with connected(fresh.url) as socket:
                opened.release()
                return (await socket.turn(input=prompt)).text
        except ConnectionClosed:
            return "broken"

    async with asyncio.TaskGroup() as group:
        turns = [group.create_task(turn()) for _ in range(40)]
        for _ in turns:
            await opened.acquire()
        async with session() as http:
            assert (await receive(http, fresh.url, "responses", "SAY[[on]]")).text == "on"
        os.kill(victim, signal.SIGKILL)
    texts = [each.result() for each in turns]
    assert set(texts) == {"broken", expected}
    async with connected(fresh.url) as socket:
        assert (await socket.turn(**SAY)).text == "hi"


async def test_plain_get_is_told_to_upgrade_or_post(gateway: Gateway):
    async with session() as http, http.get(f"{gateway.url}/v1/responses") as reply:
        assert reply.status == 426
        assert "POST" in orjson.loads(await reply.read())["error"]["message"]
