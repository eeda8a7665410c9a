"""Requests that no client should send: refused in the caller's envelope, and never in a log.

About a thousand for each endpoint that takes a body. The backend here refuses everything, so
whatever is valid still must come to a 4xx too.
"""

from __future__ import annotations

import asyncio
import http.server
import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from tests.e2e.malformations import (
    AT_THE_DOOR,
    BODIES,
    CANARY,
    INSIDE,
    Malformed,
    bodies,
    examples,
    wrong_headers,
    wrongly_packed,
)
from tests.e2e.sockets import ConnectionClosed, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from tests.e2e.processes import Gateway

ENDPOINTS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/responses/compact": "responses",
    "/v1/responses/input_tokens": "responses",
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "messages",
    "/v1/images/generations": "images",
}
COUNTING = {"/v1/responses/input_tokens", "/v1/messages/count_tokens"}
"""What these answer themselves is no refusal of the backend."""

BODIES_AT_THE_DOOR, BODIES_INSIDE, WITH_HEADERS = 450, 400, 170
CONNECTIONS = 8
GROWTH_KB = 64 * 1024
"""What a process may keep of some thousand requests: the room for several large ones at once."""


class Refusing(http.server.BaseHTTPRequestHandler):
    """A backend that refuses everything, so that any body at all must come to a 4xx."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Backend

    def do_POST(self) -> None:
        self.server.asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        content = b'{"detail":"refused by the backend"}'
        self.send_response(400)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class Backend(http.server.ThreadingHTTPServer):
    asked = 0


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def gateway_environment(backend: Backend) -> dict[str, str]:
    url = f"http://127.0.0.1:{backend.server_port}"
    return {"CODEXIA_LOG_LEVEL": "debug", "CODEXIA_UPSTREAM_BASE_URL": url}


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(
        connector=connector, skip_auto_headers=("content-type",), timeout=aiohttp.ClientTimeout(60)
    ) as client:
        yield client


@pytest.fixture(params=ENDPOINTS)
def path(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", autouse=True)
def unharmed(gateway: Gateway, backend: Backend) -> Iterator[None]:
    """After all of it the same processes serve, no larger than before, and logged nothing of it."""
    asyncio.run(serves(gateway, backend))
    before = memory_kb(gateway)
    yield
    asyncio.run(serves(gateway, backend))
    after = memory_kb(gateway)
    assert after.keys() == before.keys()
    grown = {pid: after[pid] - before[pid] for pid in after}
    assert all(each < GROWTH_KB for each in grown.values()), grown
    assert any("codexia.access" in line for line in gateway.lines)
    assert [line[:999] for line in gateway.lines if CANARY in line or "Traceback" in line] == []
    assert max(map(len, gateway.lines)) < 999


async def serves(gateway: Gateway, backend: Backend) -> None:
    """Ask every endpoint what it should be asked."""
    async with aiohttp.ClientSession() as client:
        for path, dialect in ENDPOINTS.items():
            before = backend.asked
            request = Malformed("not at all", orjson.dumps(BODIES[dialect]))
            assert await status(client, gateway, path, request) == (
                200 if path in COUNTING else 400
            )
            assert (backend.asked > before) == (path not in COUNTING)


def memory_kb(gateway: Gateway) -> dict[int, int]:
    """Return the resident memory of the gateway's processes."""
    pids = [gateway.popen.pid, gateway.generation_pid(), *gateway.worker_pids()]
    lines = {pid: Path(f"/proc/{pid}/status").read_text().splitlines() for pid in pids}
    return {pid: int(line.split()[1]) for pid in pids for line in lines[pid] if "VmRSS" in line}


async def side_by_side(
    cases: Iterable[Any], run: Callable[[Iterator[Any]], Awaitable[None]]
) -> None:
    """Let several runners take cases from the same row."""
    row = iter(cases)
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(run(row))  # type: ignore[arg-type]


async def status(
    client: aiohttp.ClientSession, gateway: Gateway, path: str, request: Malformed
) -> int:
    """Return the status of the answer, whose envelope is checked if it is an error."""
    async with client.post(
        gateway.url + path, data=io.BytesIO(request.content), headers=request.headers
    ) as reply:
        content = await reply.read()
    if reply.status != 200:
        check_envelope(path, reply.headers.get("request-id", ""), content)
    return reply.status


def check_envelope(path: str, request_id: str, content: bytes) -> None:
    answer = orjson.loads(content)
    assert request_id.startswith("req_"), content
    if path.startswith("/v1/messages"):
        assert answer.keys() == {"type", "error", "request_id"}
        assert answer["type"] == "error"
        assert answer["request_id"] == request_id
    else:
        assert answer.keys() == {"error"}
        assert answer["error"].keys() == {"message", "type", "param", "code"}
    assert answer["error"]["message"]
    assert answer["error"]["type"]


async def statuses(
    client: aiohttp.ClientSession, gateway: Gateway, path: str, requests: list[Malformed]
) -> set[int]:
    """Return the statuses of the answers to several requests; none may be a fault of ours."""
    seen: set[int] = set()

    async def run(row: Iterator[Malformed]) -> None:
        for request in row:
            answer = await status(client, gateway, path, request)
            assert answer < 500, (request, request.content[:2000])
            seen.add(answer)

    await side_by_side(requests, run)
    return seen


async def test_malformed_body_is_refused_at_the_door(
    gateway: Gateway, backend: Backend, client: aiohttp.ClientSession, path: str
):
    before = backend.asked
    requests = examples(BODIES_AT_THE_DOOR, bodies(BODIES[ENDPOINTS[path]], AT_THE_DOOR))
    assert {request.kind for request in requests} == AT_THE_DOOR.keys()
    assert await statuses(client, gateway, path, requests) == {400}
    assert backend.asked == before


async def test_body_spoilt_inside_never_breaks_the_gateway(
    gateway: Gateway, client: aiohttp.ClientSession, path: str
):
    requests = examples(BODIES_INSIDE, bodies(BODIES[ENDPOINTS[path]], INSIDE))
    assert {request.kind for request in requests} == INSIDE.keys()
    seen = await statuses(client, gateway, path, requests)
    # What says `max_tokens: 0` is answered here as well.
    assert seen - {400} <= ({200} if path in {*COUNTING, "/v1/messages"} else set())


async def test_body_that_is_not_what_its_headers_say_is_refused_at_the_door(
    gateway: Gateway, backend: Backend, client: aiohttp.ClientSession, path: str
):
    before = backend.asked
    headers = examples(WITH_HEADERS // 2, wrong_headers(BODIES[ENDPOINTS[path]]))
    packed = examples(WITH_HEADERS // 2, wrongly_packed(BODIES[ENDPOINTS[path]]))
    assert await statuses(client, gateway, path, headers) == {415}
    assert await statuses(client, gateway, path, packed) == {400}
    assert backend.asked == before


async def test_malformed_message_of_a_websocket_is_answered_with_an_error(gateway: Gateway):
    valid = {"type": "response.create", **BODIES["responses"]}
    kinds = {**AT_THE_DOOR, **INSIDE}

    async def run(row: Iterator[Malformed]) -> None:
        async with connected(gateway.url) as socket:
            for request in row:
                event = await socket.error(request.content.decode("utf-8", "replace"))
                assert 400 <= event["status"] < 500, (event, request, request.content[:2000])
                assert event["error"]["message"]
            # As many answers as messages: what comes now is the answer to this.
            assert (await socket.error('{"type":"ping"}'))["error"]["code"] == "unknown_event"

    await side_by_side(examples(1000, bodies(valid, kinds)), run)


@pytest.mark.parametrize("content", [b"\xff", b"\xed\xa0\x80", b'{"type":"\xc3\x28"}'])
async def test_websocket_ends_at_a_text_that_is_not_utf_8(gateway: Gateway, content: bytes):
    async with connected(gateway.url) as broken, connected(gateway.url) as other:
        await broken.http.send_frame(content, aiohttp.WSMsgType.TEXT)
        with pytest.raises(ConnectionClosed):
            await broken.event()
        assert (await other.error("{}"))["status"] == 400


@pytest.mark.parametrize("depth", [190, 200, 260, 900, 1020, 2000])
@pytest.mark.parametrize("place", ["tools", "metadata", "text", "response_format", "content"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
async def test_deeply_nested_body_is_refused(
    gateway: Gateway, client: aiohttp.ClientSession, path: str, place: str, depth: int
):
    whole = orjson.dumps(with_nest(BODIES[ENDPOINTS[path]], place))
    content = whole.replace(b'"NEST"', b"[" * depth + b"]" * depth)
    assert content != whole
    assert 400 <= await status(client, gateway, path, Malformed("nest", content)) < 500


def with_nest(valid: dict[str, Any], place: str) -> dict[str, Any]:
    """Return a body with a value NEST somewhere in one of its members."""
    schema = {"type": "object", "properties": {"a": {"default": "NEST"}}}
    if place == "tools":
        function = {"name": "f", "parameters": schema, "input_schema": schema}
        return {**valid, "tools": [{"type": "function", "function": function, **function}]}
    if place == "text":
        return {**valid, "text": {"format": {"type": "json_schema", "name": "f", "schema": schema}}}
    if place == "response_format":
        form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
        return {**valid, "response_format": form}
    return {**valid, place: {"a": "NEST"}}
