"""The OpenAI SDK and Codex CLI over a WebSocket."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.responses import Response, ResponsesServerEvent
from pydantic import TypeAdapter

from tests.e2e.client_programs import CodexCli
from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(ResponsesServerEvent)
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
PASSING_FAULTS: dict[str, list[dict[str, Any]]] = {
    "burst limit": [{"kind": "429_transient", "try_again_in_s": 0.5}],
    "overload": [{"kind": "503"}] * 3,
    "failure in the stream": [{"kind": "failed", "code": "server_error", "after": 5}],
    "cut connection": [{"kind": "cut", "after": 5}],
}


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_LOG_LEVEL": "info"}


@pytest.fixture
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="local") as client:
        yield client


def read_turn(connection: Any) -> Response:
    """Return the response that ends a turn; every event of it must be of a published type."""
    while True:
        event = SERVER_EVENT.validate_json(connection.recv_bytes(), strict=True)
        if event.type in {"response.completed", "response.failed", "error"}:
            assert event.type == "response.completed", event
            return event.response


def turns_over_websocket(gateway: Gateway) -> int:
    return sum("dialect=websocket" in line for line in gateway.lines)


def test_sdk_streams_and_continues(gpt: openai.OpenAI, simulator: Simulator):
    with gpt.responses.connect() as connection:
        connection.response.create(model="gpt-5.5", input="SAY[[first]]")
        first = read_turn(connection)
        connection.response.create(
            model="gpt-5.5", input="SAY[[second]]", previous_response_id=first.id
        )
        second = read_turn(connection)
    assert (first.output_text, second.output_text) == ("first", "second")
    assert second.previous_response_id == first.id
    assert len(simulator.requests()[-1]["body"]["input"]) == 3
    assert simulator.stats["violations"] == []


def test_sdk_tool_round_with_reasoning(gpt: openai.OpenAI, simulator: Simulator):
    asked: dict[str, Any] = {
        "model": "gpt-5.5",
        "tools": [WEATHER],
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    with gpt.responses.connect() as connection:
        connection.response.create(input="CALLS[[2]] call get_weather", **asked)
        calls = read_turn(connection)
        outputs: Any = [
            {"type": "function_call_output", "call_id": item.call_id, "output": f"sunny {n}"}
            for n, item in enumerate(calls.output)
            if item.type == "function_call"
        ]
        connection.response.create(input=outputs, previous_response_id=calls.id, **asked)
        answer = read_turn(connection)
    assert len(outputs) == 2
    assert answer.output_text == f"DONE {outputs[-1]['output']}"
    assert simulator.stats["violations"] == []


def test_sdk_prepares_a_response(gpt: openai.OpenAI, simulator: Simulator):
    with gpt.responses.connect() as connection:
        connection.response.create(model="gpt-5.5", input="SAY[[ready]]", generate=False)
        prepared = read_turn(connection)
        assert simulator.stats["responses_started"] == 0
        connection.response.create(model="gpt-5.5", input=[], previous_response_id=prepared.id)
        assert read_turn(connection).output_text == "ready"


def test_sdk_reads_an_error(gpt: openai.OpenAI):
    with gpt.responses.connect() as connection:
        connection.response.create(model="gpt-5.5", input="hi", previous_response_id="resp_gone")
        event = SERVER_EVENT.validate_json(connection.recv_bytes(), strict=True)
        assert (event.type, event.status) == ("error", 400)
        assert event.error.code == "previous_response_not_found"
        connection.response.create(model="gpt-5.5", input="SAY[[on we go]]")
        assert read_turn(connection).output_text == "on we go"


@pytest.mark.client
def test_codex_cli_runs_a_command(gateway: Gateway, simulator: Simulator, tmp_path: Path):
    token = secrets.token_hex(8)
    before = turns_over_websocket(gateway)
    run = CodexCli(tmp_path, gateway.url, built_in=True).ask(f"RUN[[echo {token} | tee ran.txt]]")
    assert run.code == 0, run
    assert run.answer.startswith("DONE "), run
    assert (tmp_path / "work" / "ran.txt").read_text() == f"{token}\n"
    # One turn is prepared, and two are asked of the backend.
    wait_until(lambda: turns_over_websocket(gateway) == before + 3, "three turns are logged")
    assert simulator.stats["responses_started"] == 2
    kinds = [item["type"] for item in simulator.requests()[-1]["body"]["input"]]
    assert kinds[-3:] == ["reasoning", "function_call", "function_call_output"]
    assert simulator.stats["violations"] == []


@pytest.mark.client
@pytest.mark.parametrize("faults", PASSING_FAULTS.values(), ids=PASSING_FAULTS)
def test_codex_cli_heals_what_passes(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, faults: list[dict[str, Any]]
):
    for fault in faults:
        simulator.fault(**fault)
    run = CodexCli(tmp_path, gateway.url, built_in=True).ask("SAY[[healed it is]]")
    assert (run.code, run.answer) == (0, "healed it is"), run
    assert simulator.stats["violations"] == []


@pytest.mark.client
@pytest.mark.parametrize("built_in", [True, False], ids=["websocket", "http"])
def test_codex_cli_does_not_wait_for_a_plan_that_is_used_up(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, built_in: bool
):
    simulator.fault(kind="429")
    run = CodexCli(tmp_path, gateway.url, built_in=built_in).ask("hi")
    assert run.code == 1
    assert "usage limit" in run.answer
