"""What Claude Code does besides plain turns: search, count, compact, explain, and its terminal UI."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.e2e.client_programs import ClaudeCode
from tests.e2e.tap import tapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator

pytestmark = pytest.mark.client

OVERFLOW = {"kind": "failed", "code": "context_length_exceeded"}


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_LOG_LEVEL": "info"}


@pytest.fixture
def claude(gateway: Gateway, tmp_path: Path) -> ClaudeCode:
    return ClaudeCode(tmp_path, gateway.url)


@pytest.fixture(autouse=True)
def no_violation(simulator: Simulator) -> Iterator[None]:
    yield
    assert simulator.stats["violations"] == []


def test_it_searches_the_web(claude: ClaudeCode, simulator: Simulator):
    # Escaped, so that only the request in which it searches has the directive.
    query = '{"query": "SEARCH\\u005b\\u005botters\\u005d\\u005d"}'
    claude.ask('call ToolSearch ARGS[[{"query": "select:WebSearch"}]]')
    run = claude.ask(f"call WebSearch ARGS[[{query}]]", "--continue")
    assert run.code == 0, run
    assert '{"title":"https://example.com/result","url":"https://example.com/result"}' in run.answer
    assert "Found otters" in run.answer
    assert run.events[0]["modelUsage"]["gpt-5.5"]["webSearchRequests"] == 1
    searching = simulator.requests()[-2]["body"]
    assert searching["tools"] == [{"type": "web_search"}]


def test_it_counts_what_fills_its_context(
    claude: ClaudeCode, gateway: Gateway, simulator: Simulator
):
    run = claude.ask("/context")
    assert run.code == 0, run
    assert re.search(r"System tools \| \d+(\.\d+)?k \|", run.answer), run
    counted = [line for line in gateway.lines if "path=/v1/messages/count_tokens" in line]
    assert len(counted) > 10
    assert simulator.stats["responses_started"] == 0


def test_it_compacts_a_conversation_that_has_become_too_long(
    claude: ClaudeCode, simulator: Simulator
):
    for word in ("one", "two", "three"):
        claude.ask(f"SAY[[{word}]]", "--continue")
    simulator.fault(**OVERFLOW)
    run = claude.ask("SAY[[four]]", "--continue")
    assert (run.code, run.answer) == (0, "four"), run
    asked = [orjson.dumps(request["body"]["input"]).decode() for request in simulator.requests()]
    # Only the compacted conversation has the last prompt without the first.
    assert "SAY[[one]]" in asked[-2]
    assert "<summary>" in asked[-2]
    assert "SAY[[one]]" not in asked[-1]
    assert "SAY[[four]]" in asked[-1]


def test_it_says_how_much_too_long_a_prompt_is(claude: ClaudeCode, simulator: Simulator):
    simulator.fault(**OVERFLOW)
    run = claude.ask("hi")
    assert run.code == 1
    assert re.match(r"Prompt is too long .*~\d+ tokens \(limit 272000\)", run.answer), run
    assert simulator.stats["responses_started"] == 1


def test_it_does_not_repeat_a_request_that_is_too_large(claude: ClaudeCode, simulator: Simulator):
    simulator.fault(kind="413")
    run = claude.ask("hi")
    assert run.code == 1
    assert run.answer.startswith("Request too large"), run
    assert run.events[0]["api_error_status"] == 413
    assert simulator.stats["requests"]["POST /backend-api/codex/responses"] == 1


async def test_it_repeats_without_a_stream_what_was_not_found(
    gateway: Gateway, simulator: Simulator, tmp_path: Path
):
    simulator.fault(kind="404")
    async with tapped(gateway.url) as tap:
        client = ClaudeCode(tmp_path, tap.url)
        run = await asyncio.to_thread(client.ask, "SAY[[found after all]]")
    assert (run.code, run.answer) == (0, "found after all"), run
    sent = [(orjson.loads(each.body), each.status) for each in tap.posts("/v1/messages")]
    assert [(body.get("stream", False), status) for body, status in sent] == [
        (True, 404),
        (False, 200),
    ]


def test_it_does_not_see_a_refused_token_that_a_refresh_heals(
    claude: ClaudeCode, simulator: Simulator
):
    simulator.expire_tokens()
    run = claude.ask("SAY[[fresh again]]")
    assert (run.code, run.answer) == (0, "fresh again"), run
    assert simulator.stats["refreshes"] == 1
    # The backend was asked with the old token and with the new one.
    assert simulator.stats["requests"]["POST /backend-api/codex/responses"] == 2


def test_it_is_told_of_a_login_that_a_refresh_does_not_heal(
    claude: ClaudeCode, simulator: Simulator
):
    simulator.fault(kind="401", count=20)
    run = claude.ask("hi", CLAUDE_CODE_MAX_RETRIES="1")
    assert run.code == 1
    assert "run `codexia login`" in run.answer
    assert run.events[0]["api_error_status"] == 401


def test_it_repeats_and_then_tells_an_overload(claude: ClaudeCode, simulator: Simulator):
    simulator.fault(kind="503", count=6)
    run = claude.ask("hi", CLAUDE_CODE_MAX_RETRIES="1")
    assert run.code == 1
    assert "529" in run.answer
    assert run.events[0]["api_error_status"] == 529
    assert simulator.stats["requests"]["POST /backend-api/codex/responses"] == 6


def test_it_answers_and_runs_a_command_in_its_terminal_ui(claude: ClaudeCode):
    with claude.in_terminal() as screen:
        screen.wait_for("for agents")
        screen.type("SAY[[visible it is]]")
        assert "gpt-5.5" in screen.wait_for("● visible it is")
        screen.type("RUN[[echo $((6 * 7)) | tee ran.txt]]")
        screen.wait_for("● DONE 42")
    assert (claude.home / "work" / "ran.txt").read_text() == "42\n"
