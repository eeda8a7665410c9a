"""Counting tokens through a gateway that nobody is logged in to."""

from __future__ import annotations

import asyncio
import gzip
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import orjson
import pytest

from tests.e2e.malformations import BODIES, CANARY
from tests.e2e.processes import (
    Gateway,
    Simulator,
    children,
    log_in,
    running_gateway,
    wait_until,
)
from tests.reference_tokens import tokens, tool_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "local-key"
COUNTING = {"messages": "/v1/messages/count_tokens", "responses": "/v1/responses/input_tokens"}
GENERATING = {"messages": "/v1/messages", "responses": "/v1/responses"}
PER_MESSAGE, PER_ANSWER = 4, 3

ROOT = Path(__file__).parents[2]
PROSE = (ROOT / "README.md").read_text()
CODE = Path(__file__).read_text()
ARGUMENTS = {"file_path": "/src/main.py", "new_string": CODE[:2_000], "replace_all": False}
TOOLS = [
    (
        f"tool_{number}",
        f"{PROSE[number * 300 :][:700]}\n\nUsage:\n- read the file first\n- indent as it is",
        {
            "type": "object",
            "properties": {
                "file_path": {"type": "string", "description": "The file to change"},
                "mode": {"type": "string", "enum": ["read", "write", f"mode {number}"]},
                "edits": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            },
            "required": ["file_path"],
            "additionalProperties": False,
        },
    )
    for number in range(20)
]
FOO: list[Any] = [{"role": "user", "content": "foo"}]
FOO_TOKENS = tokens("foo") + PER_MESSAGE + PER_ANSWER


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    environment = {"CODEXIA_API_KEY": KEY, "CODEXIA_LOG_LEVEL": "debug"}
    with running_gateway(home, simulator, "--workers", "2", **environment) as gateway:
        yield gateway
        assert any("codexia.access" in line for line in gateway.lines)
        assert [line for line in gateway.lines if CANARY in line] == []


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=gateway.url, api_key=KEY, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    headers = {"x-api-key": KEY, "content-type": "application/json"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=30) as client:
        yield client


def anthropic_tool(name: str, description: str, schema: dict[str, Any]) -> Any:
    return {"name": name, "description": description, "input_schema": schema}


def openai_tool(name: str, description: str, schema: dict[str, Any]) -> Any:
    fields = {"name": name, "description": description, "parameters": schema, "strict": False}
    return {"type": "function", **fields}


def test_messages_count_is_within_two_percent_of_the_reference(claude: anthropic.Anthropic):
    use: Any = {"type": "tool_use", "id": "toolu_1", "name": "tool_3", "input": ARGUMENTS}
    result: Any = {"type": "tool_result", "tool_use_id": "toolu_1", "content": PROSE[:3_000]}
    counted = claude.messages.count_tokens(
        model="gpt-5.5",
        system=[{"type": "text", "text": PROSE, "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": CODE},
            {"role": "assistant", "content": [{"type": "text", "text": "I edit it."}, use]},
            {"role": "user", "content": [result, {"type": "text", "text": "go on"}]},
        ],
        tools=[anthropic_tool(*tool) for tool in TOOLS],
    )
    texts = tokens(PROSE, CODE, "I edit it.", "tool_3", PROSE[:3_000], "go on")
    arguments = tokens(orjson.dumps(ARGUMENTS).decode())
    expected = texts + arguments + sum(tool_tokens(*tool) for tool in TOOLS)
    expected += 6 * PER_MESSAGE + PER_ANSWER
    assert counted.input_tokens == pytest.approx(expected, rel=0.02)


def test_responses_count_is_within_two_percent_of_the_reference(gpt: openai.OpenAI):
    arguments = orjson.dumps(ARGUMENTS).decode()
    call = {"type": "function_call", "call_id": "call_1", "name": "tool_3", "arguments": arguments}
    counted = gpt.responses.input_tokens.count(
        model="gpt-5.5",
        instructions=PROSE,
        input=[
            {"role": "user", "content": CODE},
            call,
            {"type": "function_call_output", "call_id": "call_1", "output": PROSE[:3_000]},
        ],
        tools=[openai_tool(*tool) for tool in TOOLS],
    )
    expected = tokens(PROSE, CODE, "tool_3", arguments, PROSE[:3_000])
    expected += sum(tool_tokens(*tool) for tool in TOOLS) + 4 * PER_MESSAGE + PER_ANSWER
    assert counted.object == "response.input_tokens"
    assert counted.input_tokens == pytest.approx(expected, rel=0.02)


def test_tools_alone_are_within_two_percent_of_the_reference(claude: anthropic.Anthropic):
    counted = claude.messages.count_tokens(
        model="gpt-5.5", messages=FOO, tools=[anthropic_tool(*tool) for tool in TOOLS]
    )
    expected = FOO_TOKENS + sum(tool_tokens(*tool) for tool in TOOLS)
    assert counted.input_tokens == pytest.approx(expected, rel=0.02)


def test_both_dialects_count_the_same_prompt_alike(claude: anthropic.Anthropic, gpt: openai.OpenAI):
    messages = claude.messages.count_tokens(
        model="gpt-5.5", messages=FOO, tools=[anthropic_tool(*TOOLS[0])]
    )
    responses = gpt.responses.input_tokens.count(
        model="gpt-5.5", input="foo", tools=[openai_tool(*TOOLS[0])]
    )
    assert messages.input_tokens == responses.input_tokens


async def test_parallel_counts_of_one_tool_each_are_all_right(gateway: Gateway):
    async with (
        anthropic.AsyncAnthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client,
        asyncio.TaskGroup() as group,
    ):
        calls = [
            group.create_task(
                client.messages.count_tokens(
                    model="claude-opus-5-5",
                    messages=FOO,
                    tools=[anthropic_tool(*TOOLS[number % 20])],
                )
            )
            for number in range(30)
        ]
    for number, call in enumerate(calls):
        expected = FOO_TOKENS + tool_tokens(*TOOLS[number % 20])
        assert call.result().input_tokens == pytest.approx(expected, abs=2)


def test_count_with_no_tools_is_that_of_the_message(claude: anthropic.Anthropic):
    counted = claude.messages.count_tokens(model="gpt-5.5", messages=FOO, tools=[])
    assert counted.input_tokens == FOO_TOKENS


def test_control_tokens_in_a_text_count_as_text(claude: anthropic.Anthropic):
    text = "<|endoftext|> <|im_start|>"
    counted = claude.messages.count_tokens(
        model="gpt-5.5", messages=[{"role": "user", "content": text}]
    )
    assert counted.input_tokens == tokens(text) + PER_MESSAGE + PER_ANSWER


def test_context_edits_are_answered_with_the_count_before_them(claude: anthropic.Anthropic):
    counted = claude.beta.messages.count_tokens(
        model="gpt-5.5",
        messages=FOO,
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )
    assert counted.context_management
    assert counted.context_management.original_input_tokens == counted.input_tokens == FOO_TOKENS


def test_image_counts_by_its_size_and_not_by_its_bytes(claude: anthropic.Anthropic):
    gif = "R0lGODlhgALgAQAA" + "AAAA" * 100_000  # 640 by 480
    image: Any = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/gif", "data": gif},
    }
    counted = claude.messages.count_tokens(
        model="gpt-5.5", messages=[{"role": "user", "content": [image]}]
    )
    assert counted.input_tokens == 360 + PER_MESSAGE + PER_ANSWER


def test_text_longer_than_any_window_is_counted(http: httpx.Client):
    text = PROSE * 500
    body = {"model": "gpt-5.5", "input": text}
    reply = http.post(COUNTING["responses"], json=body)
    assert reply.json()["input_tokens"] == pytest.approx(500 * tokens(PROSE), rel=0.02)


def test_conversation_that_goes_on_is_counted_whole(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with (
        running_gateway(tmp_path, simulator, "--workers", "1") as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client,
    ):
        first = client.responses.create(model="gpt-5.5", input=f"SAY[[{CODE[:400]}]]")
        counted = client.responses.input_tokens.count(
            model="gpt-5.5", input="foo", previous_response_id=first.id
        )
    expected = tokens(f"SAY[[{CODE[:400]}]]", first.output_text, "foo")
    assert first.output_text
    assert counted.input_tokens >= expected + 3 * PER_MESSAGE + PER_ANSWER


def test_count_asks_neither_backend_nor_login(http: httpx.Client, simulator: Simulator):
    for dialect, path in COUNTING.items():
        assert http.post(path, json=BODIES[dialect]).status_code == 200
    assert simulator.requests() == []


@pytest.mark.parametrize("dialect", COUNTING)
def test_count_needs_the_local_key(http: httpx.Client, dialect: str):
    reply = http.post(COUNTING[dialect], json=BODIES[dialect], headers={"x-api-key": "wrong"})
    assert reply.status_code == 401
    assert ("request_id" in reply.json()) == (dialect == "messages")


@pytest.mark.parametrize(
    "fault",
    [
        {"messages": None, "input": None},
        {"messages": 7, "input": 7},
        {"messages": [{"role": "user", "content": [{"type": 7}]}], "input": [{"type": 7}]},
        {"model": None},
        {"tools": "all"},
        {"tools": [7]},
        {"tool_choice": {"type": 7}},
        {"thread": {"id": "t"}, "conversation": "conv_1"},
        {"system": 7, "previous_response_id": "resp_unknown"},
    ],
)
@pytest.mark.parametrize("dialect", COUNTING)
def test_malformed_body_is_refused_as_it_is_for_generating(
    http: httpx.Client, dialect: str, fault: dict[str, Any]
):
    body = {**BODIES[dialect], **fault}
    refused = http.post(GENERATING[dialect], json=body)
    reply = http.post(COUNTING[dialect], json=body)
    assert 400 <= reply.status_code < 500
    assert reply.status_code == refused.status_code
    assert reply.json()["error"] == refused.json()["error"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b'{"model":"\xff"}', {}, 400),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {"content-encoding": "br"}, 415),
        (gzip.compress(b"{}" * 99, mtime=0)[:-9], {"content-encoding": "gzip"}, 400),
        (b'{"messages":' + b"[" * 900 + b"]" * 900 + b"}", {}, 400),
    ],
)
@pytest.mark.parametrize("dialect", COUNTING)
def test_body_that_is_no_json_object_is_refused(
    http: httpx.Client, dialect: str, content: bytes, headers: dict[str, str], status: int
):
    reply = http.post(COUNTING[dialect], content=content, headers=headers)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize("dialect", COUNTING)
def test_other_methods_are_refused(http: httpx.Client, dialect: str):
    assert http.get(COUNTING[dialect]).status_code == 405


def test_without_a_supervisor_the_count_is_a_503_until_one_is_back(
    simulator: Simulator, tmp_path: Path
):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        flags = ("--workers", "1", "--bind", f"127.0.0.1:{probe.getsockname()[1]}")

    def count(url: str, dialect: str) -> httpx.Response:
        return httpx.post(url + COUNTING[dialect], json=BODIES[dialect], timeout=30)

    with running_gateway(tmp_path, simulator, *flags) as gateway:
        generation = gateway.generation_pid()
        before = [count(gateway.url, dialect).json() for dialect in COUNTING]
        gateway.stop(signal.SIGKILL)
        replies = {dialect: count(gateway.url, dialect) for dialect in COUNTING}
        with running_gateway(tmp_path, simulator, *flags) as successor:
            after = [count(successor.url, dialect).json() for dialect in COUNTING]
    assert {reply.status_code for reply in replies.values()} == {503}
    assert {reply.headers["retry-after"] for reply in replies.values()} == {"1"}
    assert replies["messages"].json()["error"]["type"] == "api_error"
    assert replies["responses"].json()["error"]["code"] == "supervisor_unavailable"
    assert before == after
    wait_until(lambda: not children(generation), "the adopted worker has ended")
