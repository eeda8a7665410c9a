"""Bodies that no client should send: refused in the caller's envelope, and never repeated in a log."""

from __future__ import annotations

import http.client
import http.server
import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.e2e.streams import PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway

CANARY = "canary-7f3a"
JSON = {"content-type": "application/json"}
SCHEMA = {"type": "object", "properties": {CANARY: {"type": "string", "enum": [CANARY]}}}
TEXT = {"role": "user", "content": CANARY}

BODIES: dict[str, dict[str, Any]] = {
    "chat": {
        "model": "gpt-5.5",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": CANARY}]},
            TEXT,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "look", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": CANARY},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": CANARY},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                ],
            },
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "found", "schema": SCHEMA, "strict": True},
        },
        "stop": [CANARY],
        "stream_options": {"include_usage": True},
        "reasoning_effort": "low",
    },
    "responses": {
        "model": "gpt-5.5",
        "instructions": CANARY,
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": CANARY}],
            },
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": CANARY},
            TEXT,
        ],
        "tools": [{"type": "function", "name": "look", "parameters": SCHEMA, "strict": False}],
        "tool_choice": "auto",
        "text": {"format": {"type": "json_schema", "name": "found", "schema": SCHEMA}},
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "metadata": {"user": CANARY},
    },
    "messages": {
        "model": "gpt-5.5",
        "max_tokens": 99,
        "system": [{"type": "text", "text": CANARY, "cache_control": {"type": "ephemeral"}}],
        "messages": [
            TEXT,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": CANARY, "signature": "c2ln"},
                    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {CANARY: 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": CANARY},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "aGk="},
                    },
                ],
            },
        ],
        "tools": [{"name": "look", "description": CANARY, "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "metadata": {"user_id": CANARY},
        "stop_sequences": [CANARY],
    },
}
REQUIRED = {"chat": "messages", "responses": "input", "messages": "messages"}

Path = tuple[str | int, ...]

NOT_CONTENT = st.one_of(st.none(), st.booleans(), st.integers(-9, 2**63 - 1), st.floats(-1, 1))
SCALARS = st.one_of(NOT_CONTENT, st.text(max_size=8))
JUNK = st.one_of(
    SCALARS,
    st.just({}),
    st.just([]),
    st.lists(SCALARS, max_size=3),
    st.dictionaries(
        st.sampled_from(["type", "role", "content", "id", CANARY]), SCALARS, max_size=3
    ),
)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the place of every value in a body."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, (*path, key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths(each, (*path, index))


def replaced(value: Any, path: Path, junk: Any) -> Any:
    """Return a copy of a body with one value replaced."""
    if not path:
        return junk
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], junk)
    return copy


def malformed(dialect: str) -> st.SearchStrategy[bytes]:
    """Bodies that no reading of the protocol allows."""
    valid = BODIES[dialect]
    whole = orjson.dumps(valid)
    cut_short = st.integers(0, len(whole) - 1).map(lambda end: whole[:end])
    not_an_object = st.one_of(SCALARS, st.lists(JUNK, max_size=3)).map(orjson.dumps)
    without_content = NOT_CONTENT.map(lambda junk: orjson.dumps({**valid, REQUIRED[dialect]: junk}))
    return st.one_of(cut_short, not_an_object, without_content)


def altered(dialect: str) -> st.SearchStrategy[bytes]:
    """Bodies with any one value replaced, which mostly makes no sense."""
    valid = BODIES[dialect]
    return st.tuples(st.sampled_from(list(paths(valid))), JUNK).map(
        lambda change: orjson.dumps(replaced(valid, *change))
    )


class Endpoint:
    """One kept-alive connection to one dialect's endpoint."""

    def __init__(self, gateway: Gateway, dialect: str) -> None:
        self._dialect = dialect
        self._connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"))
        self.close = self._connection.close

    def status(self, content: bytes) -> int:
        """Return the status of the answer, whose envelope is checked."""
        self._connection.request("POST", PATHS[self._dialect], content, JSON)
        reply = self._connection.getresponse()
        answer = orjson.loads(reply.read())
        if reply.status != 200:
            assert answer["error"]["message"]
            assert answer["error"]["type"]
            assert ("request_id" in answer) == (self._dialect == "messages")
        return reply.status


class Refusing(http.server.BaseHTTPRequestHandler):
    """A backend that refuses everything, so that any body at all must come to a 4xx."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["content-length"]))
        content = b'{"detail":"refused by the backend"}'
        self.send_response(400)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def backend() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        server.asked = 0  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def gateway_environment(backend: http.server.ThreadingHTTPServer) -> dict[str, str]:
    url = f"http://127.0.0.1:{backend.server_port}"
    return {"CODEXIA_LOG_LEVEL": "debug", "CODEXIA_UPSTREAM_BASE_URL": url}


@pytest.fixture(params=BODIES)
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def endpoint(gateway: Gateway, dialect: str) -> Iterator[Endpoint]:
    endpoint = Endpoint(gateway, dialect)
    yield endpoint
    endpoint.close()


@pytest.fixture(scope="module", autouse=True)
def no_canary_in_the_log(gateway: Gateway) -> Iterator[None]:
    yield
    assert any("codexia.access" in line for line in gateway.lines)
    assert [line for line in gateway.lines if CANARY in line] == []


GENERATED = settings(
    max_examples=500,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def test_body_as_it_should_be_reaches_the_backend(
    endpoint: Endpoint, dialect: str, backend: http.server.ThreadingHTTPServer
):
    before = backend.asked  # type: ignore[attr-defined]
    assert endpoint.status(orjson.dumps(BODIES[dialect])) == 400
    assert backend.asked == before + 1  # type: ignore[attr-defined]


@GENERATED
@given(data=st.data())
def test_malformed_body_is_refused_at_the_door(
    endpoint: Endpoint,
    dialect: str,
    backend: http.server.ThreadingHTTPServer,
    data: st.DataObject,
):
    before = backend.asked  # type: ignore[attr-defined]
    assert 400 <= endpoint.status(data.draw(malformed(dialect))) < 500
    assert backend.asked == before  # type: ignore[attr-defined]


@GENERATED
@given(data=st.data())
def test_altered_body_never_breaks_the_gateway(
    endpoint: Endpoint, dialect: str, data: st.DataObject
):
    assert endpoint.status(data.draw(altered(dialect))) < 500


@pytest.mark.parametrize("depth", [190, 200, 260, 900, 1020, 2000])
@pytest.mark.parametrize("place", ["tools", "metadata", "text", "response_format", "content"])
def test_deeply_nested_body_is_refused(endpoint: Endpoint, dialect: str, place: str, depth: int):
    whole = orjson.dumps(with_nest(BODIES[dialect], place))
    content = whole.replace(b'"NEST"', b"[" * depth + b"]" * depth)
    assert content != whole
    assert 400 <= endpoint.status(content) < 500


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
