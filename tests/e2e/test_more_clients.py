"""Other agents, SDKs and frameworks finish a tool round through the gateway.

What the backend then got must be without fault, so `violations` stays empty.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.e2e.agent_programs import Aider, Cline, Llm, OpenCode, Pi
from tests.e2e.sdk_programs import CLAUDE_AGENT_SDK, SCRIPTS, SDK_PROGRAMS, VERCEL_TURNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator
    from tests.e2e.sdk_programs import SdkProgram

pytestmark = pytest.mark.client

SHELL_AGENTS = {
    "opencode openai-compatible": (OpenCode, "openai-compatible"),
    "opencode openai": (OpenCode, "openai"),
    "opencode anthropic": (OpenCode, "anthropic"),
    "pi completions": (Pi, "openai-completions"),
    "pi responses": (Pi, "openai-responses"),
    "pi messages": (Pi, "anthropic-messages"),
    "cline openai-compatible": (Cline, "openai-compatible"),
    "cline openai-native": (Cline, "openai-native"),
}
KEEPS_REASONING = {"opencode openai", "pi responses", "pi messages"}
EDIT = """a.txt
```
<<<<<<< SEARCH
one
=======
{}
>>>>>>> REPLACE
```
"""


@pytest.fixture
def token() -> str:
    return secrets.token_hex(8)


@pytest.fixture(autouse=True)
def no_violation(simulator: Simulator) -> Iterator[None]:
    yield
    assert simulator.stats["violations"] == []


def asked_items(simulator: Simulator) -> list[list[dict[str, Any]]]:
    """Return the input of each request that reached the backend."""
    return [request["body"]["input"] for request in simulator.requests()]


@pytest.mark.parametrize("agent", SHELL_AGENTS)
def test_agent_runs_a_command(
    agent: str, gateway: Gateway, simulator: Simulator, tmp_path: Path, token: str
):
    program, mode = SHELL_AGENTS[agent]
    run = program(tmp_path, gateway.url, mode).ask(f"RUN[[echo {token} | tee ran.txt]]")
    assert run.code == 0, run
    assert run.answer.startswith("DONE "), run
    assert token in run.answer, run
    assert (tmp_path / "work" / "ran.txt").read_text() == f"{token}\n"
    kinds = [item["type"] for item in asked_items(simulator)[-1]]
    assert kinds[-2:] == ["function_call", "function_call_output"]
    assert ("reasoning" in kinds) == (agent in KEEPS_REASONING)


def test_aider_edits_a_file(gateway: Gateway, tmp_path: Path, token: str):
    edited = tmp_path / "work" / "a.txt"
    edited.parent.mkdir()
    edited.write_text("one\n")
    run = Aider(tmp_path, gateway.url).ask(f"SAY[[{EDIT.format(token)}]]", "a.txt")
    assert run.code == 0, run
    assert "Applied edit to a.txt" in run.answer
    assert edited.read_text() == f"{token}\n"


def test_llm_calls_a_function_and_fills_a_schema(gateway: Gateway, tmp_path: Path, token: str):
    llm = Llm(tmp_path, gateway.url)
    functions = (SCRIPTS / "llm_functions.py").read_text()
    run = llm.ask("weather in Paris? call get_weather", "--functions", functions, token=token)
    assert (run.code, run.answer) == (0, f"DONE sunny in hi {token}\n"), run
    run = llm.ask("a city", "--schema", "city, count int")
    assert orjson.loads(run.answer) == {"city": "hi", "count": 1}


@pytest.mark.parametrize(
    ("sdk", "mode"),
    [
        pytest.param(sdk, mode, id=f"{sdk.script} {mode}")
        for sdk in SDK_PROGRAMS
        for mode in sdk.modes
    ],
)
def test_sdk_calls_a_tool_and_fills_a_schema(
    sdk: SdkProgram, mode: str, gateway: Gateway, tmp_path: Path, token: str
):
    run = sdk.run(mode, tmp_path, gateway.url, token)
    assert run.code == 0, run
    answer, city = run.answer.splitlines()
    assert answer.startswith("DONE "), run
    assert token in answer, run
    assert orjson.loads(city).keys() == {"city", "count"}


def test_vercel_ai_refers_to_the_turns_before(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, token: str
):
    run = VERCEL_TURNS.run("", tmp_path, gateway.url, token)
    assert run.code == 0, run
    first, *later = run.answer.splitlines()
    assert token in first
    assert later == ["second", "third"]
    assert gateway.status()["counters"]["/items"] > 0
    items = asked_items(simulator)[-1]
    assert [item["role"] for item in items if item["type"] == "message"] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    kinds = [item["type"] for item in items]
    assert kinds[1:4] == ["reasoning", "function_call", "function_call_output"]
    assert all(item["encrypted_content"] for item in items if item["type"] == "reasoning")


def test_claude_agent_sdk_runs_a_command_and_loads_a_tool(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, token: str
):
    run = CLAUDE_AGENT_SDK.run("", tmp_path, gateway.url, token)
    assert run.code == 0, run
    ran, found, called = run.answer.splitlines()
    assert ran == f"DONE {token}"
    assert "mcp__weather__get_weather" in found
    assert called == f"DONE sunny in hi {token}"
    offered = [
        "mcp__weather__get_weather" in [tool["name"] for tool in request["body"].get("tools", [])]
        for request in simulator.requests()
    ]
    assert offered == sorted(offered), "a tool is offered from when it was loaded"
    assert offered[-1]
    assert not offered[1]
