"""Claude Code and Codex CLI work through the gateway, and heal what it lets them heal."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.e2e.client_programs import ClaudeCode, CodexCli
from tests.e2e.processes import log_in, running_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.installed_clients import Run
    from tests.e2e.processes import Gateway, Simulator

pytestmark = pytest.mark.client

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["city", "count"],
    "additionalProperties": False,
}
PASSING_FAULTS = {
    "burst limit": [{"kind": "429_transient", "try_again_in_s": 0.5}],
    # The gateway tries three times itself before it tells the client.
    "overload": [{"kind": "503"}] * 3,
    "path that is missing": [{"kind": "404"}],
    "failure in the stream": [{"kind": "failed", "code": "server_error", "after": 5}],
    "cut connection": [{"kind": "cut", "after": 5}],
}


@pytest.fixture(scope="module")
def locked_gateway(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("locked")
    log_in(home, simulator)
    with running_gateway(
        home, simulator, "--workers", "1", CODEXIA_API_KEY="the-right-key"
    ) as gateway:
        yield gateway


@pytest.fixture(params=list(PASSING_FAULTS))
def passing_fault(request: pytest.FixtureRequest, simulator: Simulator) -> int:
    """Let the next requests fail in a way that passes, and return how many."""
    faults: list[dict[str, Any]] = PASSING_FAULTS[request.param]
    for fault in faults:
        simulator.fault(**fault)
    return len(faults)


def codex_requests(simulator: Simulator) -> int:
    return simulator.stats["requests"]["POST /backend-api/codex/responses"]


def assert_ran_the_command(run: Run, home: Path, token: str) -> None:
    assert run.code == 0, run
    assert run.answer.startswith("DONE "), run
    assert token in run.answer, run
    assert (home / "work" / "ran.txt").read_text() == f"{token}\n"


def assert_reasoning_came_back(simulator: Simulator) -> None:
    """The follow-up carries the encrypted reasoning of the call that it answers."""
    items = simulator.requests()[-1]["body"]["input"]
    kinds = [item["type"] for item in items]
    assert kinds[-3:] == ["reasoning", "function_call", "function_call_output"]
    assert items[-3]["encrypted_content"]


@pytest.mark.parametrize("model", ["gpt-5.5", None], ids=["configured model", "default model"])
def test_claude_code_runs_a_command(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, model: str | None
):
    token = secrets.token_hex(8)
    run = ClaudeCode(tmp_path, gateway.url, model=model).ask(f"RUN[[echo {token} | tee ran.txt]]")
    assert_ran_the_command(run, tmp_path, token)
    [result] = run.events
    assert result["subtype"] == "success"
    assert not result["is_error"]
    assert result["num_turns"] == 2
    assert result["usage"]["input_tokens"] > 1000
    assert result["usage"]["output_tokens"] > 0
    assert_reasoning_came_back(simulator)
    assert simulator.stats["violations"] == []


def test_claude_code_goes_on_with_a_conversation(
    gateway: Gateway, simulator: Simulator, tmp_path: Path
):
    client = ClaudeCode(tmp_path, gateway.url)
    client.ask("RUN[[echo once]]")
    run = client.ask("SAY[[and again]]", "--continue")
    assert (run.code, run.answer) == (0, "and again"), run
    body = simulator.requests()[-1]["body"]
    assert "DONE once" in orjson.dumps(body["input"]).decode()
    assert simulator.stats["violations"] == []


def test_claude_code_gets_structured_output(gateway: Gateway, simulator: Simulator, tmp_path: Path):
    wanted = {"city": "Oslo", "count": 3}
    run = ClaudeCode(tmp_path, gateway.url).ask(
        f"call StructuredOutput ARGS[[{orjson.dumps(wanted).decode()}]]",
        "--json-schema",
        orjson.dumps(CITY).decode(),
    )
    assert run.code == 0, run
    assert run.events[0]["structured_output"] == wanted
    assert simulator.stats["violations"] == []


def test_claude_code_heals_what_passes(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, passing_fault: int
):
    run = ClaudeCode(tmp_path, gateway.url).ask("SAY[[healed it is]]")
    assert (run.code, run.answer) == (0, "healed it is"), run
    assert codex_requests(simulator) == passing_fault + 1
    assert simulator.stats["violations"] == []


def test_claude_code_does_not_insist_on_a_plan_that_is_used_up(
    gateway: Gateway, simulator: Simulator, tmp_path: Path
):
    simulator.fault(kind="429")
    run = ClaudeCode(tmp_path, gateway.url).ask("hi")
    assert run.code == 1
    assert "usage limit" in run.answer
    assert codex_requests(simulator) == 1


def test_claude_code_is_told_of_a_wrong_key(
    locked_gateway: Gateway, simulator: Simulator, tmp_path: Path
):
    run = ClaudeCode(tmp_path, locked_gateway.url, key="a-wrong-key").ask("hi")
    assert run.code == 1
    assert "401 invalid local api key" in run.answer
    assert simulator.stats["responses_started"] == 0


def test_claude_code_is_told_of_a_missing_login(simulator: Simulator, tmp_path: Path):
    with running_gateway(tmp_path / "gateway", simulator, "--workers", "1") as gateway:
        run = ClaudeCode(tmp_path, gateway.url).ask("hi")
    assert run.code == 1
    assert "run `codexia login`" in run.answer


@pytest.mark.parametrize("built_in", [False, True], ids=["own provider", "built-in provider"])
def test_codex_cli_runs_a_command(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, built_in: bool
):
    token = secrets.token_hex(8)
    run = CodexCli(tmp_path, gateway.url, built_in=built_in).ask(
        f"RUN[[echo {token} | tee ran.txt]]"
    )
    assert_ran_the_command(run, tmp_path, token)
    assert run.events[-1]["type"] == "turn.completed"
    assert run.events[-1]["usage"]["input_tokens"] > 1000
    assert_reasoning_came_back(simulator)
    assert simulator.stats["violations"] == []


def test_codex_cli_heals_what_passes(
    gateway: Gateway, simulator: Simulator, tmp_path: Path, passing_fault: int
):
    run = CodexCli(tmp_path, gateway.url).ask("SAY[[healed it is]]")
    assert (run.code, run.answer) == (0, "healed it is"), run
    assert codex_requests(simulator) == passing_fault + 1
    assert simulator.stats["violations"] == []


def test_codex_cli_is_told_of_a_wrong_key(
    locked_gateway: Gateway, simulator: Simulator, tmp_path: Path
):
    run = CodexCli(tmp_path, locked_gateway.url, key="a-wrong-key").ask("hi")
    assert run.code == 1
    assert "401 Unauthorized: invalid local api key" in run.answer
    assert simulator.stats["responses_started"] == 0
