"""Ids, paths and queries that no client should ask for: refused like any other that is not there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx
import orjson
import pytest
from hypothesis import strategies as st

from tests.e2e.malformations import CANARY, examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway

ROUTES = [
    (b"GET", b"/v1/responses/%s"),
    (b"DELETE", b"/v1/responses/%s"),
    (b"POST", b"/v1/responses/%s/cancel"),
    (b"GET", b"/v1/responses/%s/input_items"),
    (b"GET", b"/v1/models/%s"),
    (b"GET", b"/v1/messages/batches/%s"),
    (b"DELETE", b"/v1/messages/batches/%s"),
    (b"POST", b"/v1/messages/batches/%s/cancel"),
    (b"GET", b"/v1/messages/batches/%s/results"),
    (b"GET", b"/v1/batches/%s"),
    (b"POST", b"/v1/batches/%s/cancel"),
    (b"GET", b"/v1/files/%s"),
    (b"DELETE", b"/v1/files/%s"),
    (b"GET", b"/v1/files/%s/content"),
]
TARGETS = 100
"""For each route."""

CONNECTIONS: Final = 8
ENCODED = st.one_of(st.binary(max_size=9), st.text(max_size=9).map(lambda text: text.encode())).map(
    lambda raw: b"".join(b"%%%02x" % byte for byte in raw)
)
TRICKS = st.sampled_from(
    rb"""
    .. . ../.. %2e%2e ..%2f..%2fhealth %252e%252e%252f ..;/ // ..\.. /etc/passwd %2Fetc%2Fpasswd
    %00 a%00.json %0d%0aset-cookie:%20a %0a%0a %c0%ae%c0%ae %ff %ed%a0%80 %f4%90%80%80 % %zz %u0041
    resp_ resp_* resp_%2e%2e resp_a%2fb resp_a?key=other resp_a%3fkey=b resp_a#b resp_%F0%9F%98%80
    undefined null {id} [] ' %22 |
    """.split()
)
NOT_TARGETS = st.sampled_from([b"\r\nx: y", b"a b", b"\xff", b"\x00", b"\n", b"\t", b"\x7f"])
HUGE = st.tuples(
    st.sampled_from([b"a", b"resp_a", b"%ff", b"../", b"%2e"]), st.integers(2, 13)
).map(lambda huge: huge[0] * 2 ** huge[1])
PREFIXES = st.sampled_from(
    [b"resp_", b"msgbatch_", b"batch_", b"file-", b"msgbatch_/../", b"file-.."]
)
PREFIXED = st.tuples(PREFIXES, ENCODED).map(b"".join)
IDS = st.one_of(TRICKS, ENCODED, PREFIXED, HUGE, NOT_TARGETS)
NAMES = st.sampled_from(
    [b"limit", b"order", b"after", b"stream", b"include[]", b"after_id", b"key", b"%ff"]
)
VALUES = st.one_of(
    ENCODED,
    HUGE,
    st.sampled_from(
        [b"", b"true", b"0", b"-1", b"+1", b"1e9", b"9" * 5000, b"%d9%a1", b"%", b"%zz"]
    ),
)
QUERIES = st.lists(st.tuples(NAMES, VALUES).map(b"=".join), max_size=3).map(b"&".join)


@dataclass(frozen=True)
class Answer:
    """What came back; `request_id` is "" where what was sent is no HTTP, or too long for it."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def request_id(self) -> str:
        return self.headers.get("request-id", "")


class Connection:
    """A kept-alive connection that sends any bytes as a target."""

    def __init__(self, gateway: Gateway) -> None:
        self._host, _, self._port = gateway.url.removeprefix("http://").partition(":")
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: bytes, target: bytes, *headers: bytes) -> Answer:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, int(self._port))
        lines = [b"%b %b HTTP/1.1" % (method, target), b"host: localhost", *headers, b"", b""]
        self._writer.write(b"\r\n".join(lines))
        async with asyncio.timeout(20):
            status, *fields = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            named = {
                name.lower(): value for name, _, value in (each.partition(": ") for each in fields)
            }
            content = await self._reader.readexactly(int(named.get("content-length", 0)))
        answer = Answer(int(status.split()[1]), named, content)
        if not answer.request_id or named.get("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def is_a_target(target: bytes) -> bool:
    """Whether the bytes can stand in a request line: https://www.rfc-editor.org/rfc/rfc9112#section-3."""
    return target.isascii() and all(0x20 < byte < 0x7F for byte in target)


def check(answer: Answer, target: bytes) -> None:
    """Require a refusal, in an envelope if the request was one."""
    assert 400 <= answer.status < 500, (answer, target[:200])
    assert "set-cookie" not in answer.headers
    if not answer.request_id:
        assert not is_a_target(target) or answer.status == 414, (answer, target[:200])
        return
    error = orjson.loads(answer.content)["error"]
    assert error["message"]
    assert error["type"] in {"invalid_request_error", "not_found_error"}


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_LOG_LEVEL": "debug"}


@pytest.fixture(scope="module", autouse=True)
def unharmed(gateway: Gateway) -> Iterator[None]:
    before = gateway.worker_pids()
    yield
    assert gateway.worker_pids() == before
    assert httpx.get(f"{gateway.url}/health").json()["status"] == "ok"
    assert [line for line in gateway.lines if "Traceback" in line or CANARY in line] == []


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=lambda part: part.decode())
async def test_strange_id_is_refused(gateway: Gateway, method: bytes, route: bytes):
    row = iter(examples(TARGETS, st.tuples(IDS, QUERIES)))

    async def run() -> None:
        connection = Connection(gateway)
        for identity, query in row:
            target = route % identity + b"?" + query
            check(await connection.ask(method, target, b"content-length: 0"), target)
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(run())


@pytest.fixture
def stored(gateway: Gateway) -> str:
    """The id of a response that is there."""
    body = {"model": "gpt-5.5", "input": f"SAY[[{CANARY}]]"}
    return httpx.post(f"{gateway.url}/v1/responses", json=body).json()["id"]


async def test_strange_query_of_what_is_there_never_breaks_the_gateway(
    gateway: Gateway, stored: str
):
    targets = [f"/v1/responses/{stored}", f"/v1/responses/{stored}/input_items", "/v1/models"]
    connection = Connection(gateway)
    seen: set[int] = set()
    for query in examples(2 * TARGETS, QUERIES):
        for target in targets:
            whole = b"%b?%b" % (target.encode(), query)
            answer = await connection.ask(b"GET", whole, b"anthropic-version: 2023-06-01")
            if answer.status != 200:
                check(answer, whole)
            seen.add(answer.status)
    connection.close()
    assert seen == {200, 400, 414}
